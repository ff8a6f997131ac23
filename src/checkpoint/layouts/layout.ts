/** What a published layout is: how to recognise it, what architecture its shapes mean, and where each parameter lies. */
import type { Activation, ClipArchitecture, ImageClassifierArchitecture } from '../../models/architecture.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import type { EidosConfig } from '../configuration/eidos.ts';
import type { HuggingFaceConfig } from '../configuration/hugging-face.ts';
import type { OpenClipConfig } from '../configuration/open-clip.ts';
import type { ShapeTable } from './shape-table.ts';

/** The layouts in which CLIPs are published and that eidos reads. */
export type LayoutName =
  | 'openai'
  | 'open_clip_custom_text'
  | 'open_clip_timm_siglip'
  | 'open_clip'
  | 'hugging_face_clip'
  | 'hugging_face_siglip'
  | 'hugging_face_pair'
  | 'eidos';

/** The layouts of image classifiers, which are published without words. */
export type ImageClassifierLayoutName = 'efficientnet_lite';

/** Configurations found beside the weights, already validated; a layout looks at its own kind only. */
export interface Configurations {
  openClip?: OpenClipConfig;
  huggingFace?: HuggingFaceConfig;
  eidos?: EidosConfig;
}

/** What weights cannot show and the caller may know better. */
export interface LayoutOptions {
  /**
   * Non-linearity of all MLPs, over what configuration or convention say.
   * @default the configuration's; without one, QuickGELU for OpenAI's layout in sizes that OpenAI published or that
   * nobody did, else the one the size was published with
   */
  activation?: Activation;
}

/** Where a canonical parameter lies in a published tensor. */
export interface Published {
  /** Name of the published tensor, without the checkpoint's prefix. */
  from: string;
  /** Shape of the published tensor where it differs from the canonical one by more than `part` and `transposed`. */
  stored?: number[];
  /** The parameter is the n-th of so many equal parts along the first axis. */
  part?: readonly [index: number, of: number];
  /** Stored as [in, out]. */
  transposed?: true;
}

export interface Layout {
  /** Whether tensors of these names (prefix removed) are in this layout. */
  recognise(shapes: ReadonlyMap<string, readonly number[]>): boolean;
  /**
   * @throws EidosError `config_mismatch` where configuration and shapes contradict each other, `invalid_checkpoint`
   * where tensors are missing, `unsupported_checkpoint` for variants that eidos does not have.
   */
  architecture(table: ShapeTable, configurations: Configurations, options: LayoutOptions): ClipArchitecture;
  /** Canonical name → where it is, for every parameter of the architecture. */
  published(architecture: ClipArchitecture, table: ShapeTable): Map<string, Published>;
  /** Names that carry nothing the towers need: counters, constant buffers, a captioning decoder. */
  ignores(name: string, architecture: ClipArchitecture): boolean;
  /** Whose settings say how pictures are prepared; those of the other tools are not meant for these weights. */
  settings: 'hugging_face' | 'open_clip';
  /** What pictures this layout's models expect where no file says so. */
  preprocessing(architecture: ClipArchitecture): ImagePreprocessing;
}

/** The same of an image classifier, which needs no configuration: its classifier stands where a CLIP has its projection. */
export interface ImageClassifierLayout {
  /** A tensor at the root that every checkpoint of the layout has; what stands before it stands before all names. */
  anchor: string;
  recognise(shapes: ReadonlyMap<string, readonly number[]>): boolean;
  /** @throws EidosError `invalid_checkpoint`, `unsupported_checkpoint` as those of a CLIP do */
  architecture(table: ShapeTable): ImageClassifierArchitecture;
  published(architecture: ImageClassifierArchitecture): Map<string, Published>;
  ignores(name: string): boolean;
  preprocessing(architecture: ImageClassifierArchitecture): ImagePreprocessing;
}
