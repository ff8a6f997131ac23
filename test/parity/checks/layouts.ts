/** Published models known by names and shapes alone: their architecture, and how many parameters they have. */
import { addConfiguration } from '../../../src/checkpoint/configuration/find.ts';
import {
  architectureFromShapes,
  type Configurations,
  parameterCount,
} from '../../../src/checkpoint/index.ts';
import { elementCount } from '../../../src/graph/tensor.ts';
import type { ParityCheck } from '../check.ts';
import { readFixtureJson } from '../fixture-files.ts';

interface PublishedModel {
  shapes: Record<string, number[]>;
  parameters: number;
  /** open_clip's configuration. */
  model_cfg?: unknown;
  /** Of the constructor of openai/CLIP. */
  arguments?: unknown;
}

const covered = [
  'openai_RN50',
  'openai_RN50x4',
  'openai_ViT-B-32',
  'openai_ViT-B-16',
  'openai_ViT-L-14',
  'openai_ViT-L-14_336px',
  'open_clip_ViT-B-16-plus-240',
  'open_clip_ViT-H-14',
  'open_clip_ViT-L-14-CLIPA',
  'open_clip_ViT-B-16-SigLIP',
  'open_clip_ViT-SO400M-14-SigLIP-384',
  'open_clip_coca_ViT-B-32',
  'open_clip_MobileCLIP-B',
  'hugging_face_openai-clip-vit-base-patch32',
  'hugging_face_google-siglip-base-patch16-224',
];

const path = (name: string): string => `layouts/${name}.json`;
const shapesOf = ({ shapes }: PublishedModel): Map<string, number[]> => new Map(Object.entries(shapes));

function configurationsOf(name: string, model: PublishedModel): Configurations {
  const found: Configurations = {};
  if (model.model_cfg !== undefined) addConfiguration(found, { model_cfg: model.model_cfg }, name);
  if (model.arguments !== undefined) addConfiguration(found, model.arguments, name);
  return found;
}

/** Parameters of CoCa's decoder, which writes captions: no part of the towers. */
function outsideTheTowers(model: PublishedModel): number {
  const decoder = Object.entries(model.shapes).filter(([name]) => name.startsWith('text_decoder.'));
  return decoder.reduce((sum, [, shape]) => sum + elementCount(shape), 0);
}

export const layoutChecks: readonly ParityCheck[] = [
  ...covered.flatMap((name): ParityCheck[] => {
    const title = name
      .replace(/^openai_/, 'OpenAI ')
      .replace(/^open_clip_/, 'open_clip ')
      .replace(/^hugging_face_/, 'Hugging Face ');
    const common = { folder: 'layouts', tolerance: 0, unit: 'cases', needs: [path(name)] } as const;
    const checks: ParityCheck[] = [
      {
        ...common,
        what: `${title}: number of parameters`,
        difference: async () => {
          const model = readFixtureJson<PublishedModel>(path(name));
          const { architecture } = architectureFromShapes(shapesOf(model));
          return Math.abs(parameterCount(architecture) + outsideTheTowers(model) - model.parameters);
        },
      },
    ];
    if (!name.startsWith('hugging_face')) {
      checks.push({
        ...common,
        what: `${title}: architecture from names and shapes alone`,
        difference: async () => {
          const model = readFixtureJson<PublishedModel>(path(name));
          const bare = architectureFromShapes(shapesOf(model)).architecture;
          const configured = architectureFromShapes(
            shapesOf(model),
            configurationsOf(name, model),
          ).architecture;
          return differingFields(bare, configured);
        },
      });
    }
    return checks;
  }),
];

/** How many fields differ between what is found without a configuration and what its configuration says. */
function differingFields(a: unknown, b: unknown): number {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b ? 0 : 1;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  const field = (object: object, name: string): unknown => (object as Record<string, unknown>)[name];
  return [...names].reduce((sum, name) => sum + differingFields(field(a, name), field(b, name)), 0);
}
