/** All claims of parity, in the order in which docs/parity.md lists them. */
import type { ParityCheck } from './check.ts';
import { batchNormChecks } from './checks/batch-norm.ts';
import { cocaChecks } from './checks/coca.ts';
import { layoutChecks } from './checks/layouts.ts';
import { lossChecks } from './checks/losses.ts';
import { preprocessingChecks } from './checks/preprocessing.ts';
import { tokenizerChecks } from './checks/tokenizers.ts';
import { towerChecks } from './checks/towers.ts';
import { trainingChecks } from './checks/training.ts';
import { zeroShotChecks } from './checks/zero-shot.ts';

export const parityChecks: readonly ParityCheck[] = [
  ...towerChecks,
  ...batchNormChecks,
  ...cocaChecks,
  ...lossChecks,
  ...trainingChecks,
  ...layoutChecks,
  ...tokenizerChecks,
  ...preprocessingChecks,
  ...zeroShotChecks,
];
