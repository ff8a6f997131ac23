/** Names and shapes of every configuration of open_clip and of well-known models of Hugging Face: found as what they are, or refused by name. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { addConfiguration } from '../../src/checkpoint/configuration/find.ts';
import { type Configurations, parameterCount } from '../../src/checkpoint/index.ts';
import { architectureFromShapes, type Recognised } from '../../src/checkpoint/layouts/table.ts';
import { EidosError } from '../../src/errors.ts';
import { operationsOf } from '../../src/tasks/inspect/inspect.ts';
import { sharedFixtures } from '../fixtures.ts';

interface Header {
  name: string;
  family: string;
  config: object;
  tensors: Record<string, [type: string, shape: number[]]>;
  parameters: number;
  parts: { decoder?: number; heads?: number };
  operations: { image: number; text: number };
}

/** Which are refused, with what the message says. */
const refused: Record<string, RegExp> = {
  swin_base_patch4_window7_224: /timm image tower/,
  vit_medium_patch16_gap_256: /vit_medium_patch16_gap_256/,
  vit_relpos_medium_patch16_cls_224: /vit_relpos_medium_patch16_cls_224/,
  'google/siglip2-base-patch16-naflex': /NaFlex/,
  'google/siglip2-so400m-patch16-naflex': /NaFlex/,
  'kakaobrain/align-base': /ALIGN/,
  'Salesforce/blip-itm-base-coco': /BLIP/,
  'laion/clap-htsat-unfused': /CLAP/,
  'google/owlvit-base-patch32': /OWL-ViT/,
  'google/owlvit-base-patch16': /OWL-ViT/,
  'google/owlv2-base-patch16': /OWL-ViT/,
};

const path = `${sharedFixtures}headers/headers.jsonl.gz`;

function architecture({ tensors, config }: Header): Recognised {
  const found: Configurations = {};
  if (Object.keys(config).length > 0) addConfiguration(found, config, 'config.json');
  return architectureFromShapes(
    new Map(Object.entries(tensors).map(([name, [, shape]]) => [name, shape])),
    found,
  );
}

describe.skipIf(sharedFixtures === undefined)('headers of published models', () => {
  const headers =
    sharedFixtures === undefined
      ? []
      : gunzipSync(readFileSync(path))
          .toString()
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Header);
  const known = headers.filter(({ name }) => !(name in refused));

  test('at least 95 in 100 are known', () => {
    expect(known.length / headers.length).toBeGreaterThanOrEqual(0.95);
  });

  test.each(known.map((header) => [header.name, header] as const))(
    "%s has the original's parameters and operations",
    (_, header) => {
      const { architecture: clip } = architecture(header);
      const { decoder = 0, heads = 0 } = header.parts;
      expect(parameterCount(clip)).toBe(header.parameters - decoder - heads);
      // CLIPSeg's towers are counted at the side of its decoder's pictures, not at their own.
      if (header.name.startsWith('CIDAS/')) return;
      const { image, text } = operationsOf(clip);
      // Two to a multiplication with its addition. Where one token is asked, its last layer alone is counted here, and
      // poolers of which one query is asked count that one.
      const share = { image: image / 2 / header.operations.image, text: text / 2 / header.operations.text };
      expect(share.image, 'image').toBeLessThan(1.02);
      expect(share.text, 'text').toBeLessThan(1.02);
      const pooled = /ResNet|CoCa/.test(header.family) || /RN|coca/.test(header.name);
      expect(share.image, 'image').toBeGreaterThan(pooled ? 0.9 : 0.98);
      expect(share.text, 'text').toBeGreaterThan(0.98);
    },
  );

  test.each(headers.filter(({ name }) => name in refused).map((header) => [header.name, header] as const))(
    '%s is refused by its name',
    (name, header) => {
      expect(() => architecture(header)).toThrow(refused[name]!);
      expect(() => architecture(header)).toThrow(EidosError);
    },
  );
});

test.skipIf(sharedFixtures === undefined)(
  'a model that gives no embedding for a picture is refused with its reason',
  async () => {
    const { openCheckpoint } = await import('../../src/checkpoint/index.ts');
    const file = `${sharedFixtures}families/vit-pool-none/open_clip_model.safetensors`;
    await expect(openCheckpoint(file)).rejects.toMatchObject({
      code: 'unsupported_checkpoint',
      message: expect.stringMatching(/pool_type = none.*none for the picture/),
    });
  },
);
