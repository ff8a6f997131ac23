/** How the tables of an index are called. */

export const aboutName = 'about';
export const unreadableName = 'unreadable';
/** What the names of tables of pictures begin with; a model's fingerprint follows. */
export const picturesPrefix = 'pictures_';
