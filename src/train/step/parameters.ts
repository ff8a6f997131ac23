/** The parameters of a step's programs, and which of them the optimiser moves. */
import { EidosError } from '../../errors.ts';
import type { Initialiser } from '../../graph/initialise.ts';
import { parametersOf, type Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { parametersOfClip } from '../../models/parameters.ts';
import { fittingNames, frozenNames } from './freeze.ts';

/**
 * Tells of a batch norm by its name whether all its parameters are frozen. Patterns that fit no parameter of the model
 * are for others to refuse.
 */
export function frozenNorms(
  architecture: ClipArchitecture,
  freeze: readonly string[],
): (norm: string) => boolean {
  const names = parametersOfClip(architecture).map(({ name }) => name);
  const frozen = fittingNames(freeze, names);
  return (norm) => frozen.has(`${norm}.weight`) && frozen.has(`${norm}.bias`);
}

/** A parameter that a program reads. */
export interface StepParameter {
  name: string;
  shape: readonly number[];
  initialiser: Initialiser;
  /** Whether the optimiser moves it; running statistics of batch norms and what is frozen stay away from it. */
  trained: boolean;
}

/**
 * The parameters that the results depend on, each name once, and those of them that the optimiser moves.
 * @throws EidosError `invalid_option` where none is left to move, or a pattern of `freeze` fits no name
 */
export function chooseTrained(
  architecture: ClipArchitecture,
  results: readonly Value[],
  freeze: readonly string[],
): { parameters: (StepParameter & { value: Value })[]; trained: (StepParameter & { value: Value })[] } {
  const declared = [...new Map(parametersOf(results).map((node) => [node.attributes.name, node])).values()];
  // A tower that no part of the loss asks for may be frozen all the same.
  const known = [...parametersOfClip(architecture), ...declared.map(({ attributes }) => attributes)];
  const frozen = frozenNames(
    freeze,
    known.map(({ name }) => name),
  );
  const parameters = declared.map(({ attributes, outputs }) => {
    const { name, shape, initialiser, trainable } = attributes;
    return { name, shape, initialiser, trained: trainable && !frozen.has(name), value: outputs[0]! };
  });
  const trained = parameters.filter((parameter) => parameter.trained);
  if (trained.length === 0) {
    throw new EidosError(
      'invalid_option',
      'freeze: every parameter is frozen; nothing is left to be trained.',
    );
  }
  return { parameters, trained };
}
