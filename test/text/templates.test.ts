import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fillTemplate, promptTemplates, resolveTemplates } from '../../src/text/templates.ts';

describe('prompt templates', () => {
  test('the published sets have their sizes, no template twice and one placeholder each', () => {
    const sizes = Object.fromEntries(
      Object.entries(promptTemplates).map(([name, templates]) => [name, templates.length]),
    );
    expect(sizes).toEqual({ imagenet: 80, cifar: 18, flowers: 1, german: 10, paper: 11, simple: 1, none: 1 });
    for (const templates of Object.values(promptTemplates)) {
      expect(new Set(templates).size).toBe(templates.length);
      for (const template of templates) expect(template.split('{}').length).toBe(2);
    }
  });

  test('a name is put in wherever it belongs', () => {
    expect(fillTemplate('a photo of a {}.', 'cat')).toBe('a photo of a cat.');
    expect(fillTemplate('{label}: a {label}, {}', 'dog')).toBe('dog: a dog, dog');
    expect(fillTemplate('{}', '{label} $& $1 {}')).toBe('{label} $& $1 {}');
    fc.assert(fc.property(fc.string(), (name) => fillTemplate('a {} b', name) === `a ${name} b`));
  });

  test('a template without a place for the name is refused', () => {
    for (const template of ['a photo', '', '{ }', '{name}']) {
      expect(() => fillTemplate(template, 'cat')).toThrow(
        expect.objectContaining({
          code: 'invalid_option',
          message: expect.stringContaining(JSON.stringify(template)),
        }),
      );
    }
  });

  test('a set by name, one template, or a list', () => {
    expect(resolveTemplates('imagenet')).toHaveLength(80);
    expect(resolveTemplates('ein {}')).toEqual(['ein {}']);
    expect(resolveTemplates(['a {}', 'b {label}'])).toEqual(['a {}', 'b {label}']);
    expect(() => resolveTemplates('imagnet')).toThrow(/neither a set of templates \(imagenet, cifar/);
    expect(() => resolveTemplates('toString')).toThrow(/neither/);
    expect(() => resolveTemplates([])).toThrow(/empty/);
    expect(() => resolveTemplates(['a {}', 'b'])).toThrow(/"b" has no/);
  });
});
