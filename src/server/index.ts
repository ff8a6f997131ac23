/** `eidos/server`: the tasks over HTTP. */
export { createApp, type ServerApp } from './app.ts';
export { type ListenOptions, type RunningServer, startServer } from './listen.ts';
export { defaultLimits, type Limits, type LogLevel, type ServerOptions } from './options.ts';
