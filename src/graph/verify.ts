/** Checks that a finished graph is sound, before it is compiled. */
import { EidosError } from '../errors.ts';
import { formatShape, sameShape } from './dimension.ts';
import type { Operators } from './operators.ts';
import { type Signature, shapeRules } from './shapes.ts';
import { nodesOf, type Value } from './value.ts';

/**
 * Infers all shapes anew and looks for names that stand for two different things.
 * Throws `invalid_graph` naming the first node that is not what it says.
 */
export function verify(results: readonly Value[]): void {
  const names = new Map<string, Value>();
  for (const node of nodesOf(results)) {
    const rule = shapeRules[node.operator] as (
      inputs: readonly Value[],
      attributes: Operators[typeof node.operator],
    ) => Signature[];
    rule(node.inputs, node.attributes).forEach((signature, i) => {
      const output = node.outputs[i];
      if (
        output === undefined ||
        !sameShape(output.shape, signature.shape) ||
        output.type !== signature.type
      ) {
        const said = output === undefined ? 'nothing' : `${output.type} ${formatShape(output.shape)}`;
        const found = `${signature.type} ${formatShape(signature.shape)}`;
        throw new EidosError('invalid_graph', `${node.operator}: output ${i} says ${said} but is ${found}`);
      }
    });
    if (node.operator === 'input' || node.operator === 'parameter') {
      const { name } = node.attributes;
      if (names.has(name)) {
        throw new EidosError(
          'invalid_graph',
          `Two different values are called "${name}"; create one and use it twice`,
        );
      }
      names.set(name, node.outputs[0]!);
    }
  }
}
