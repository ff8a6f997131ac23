/** Reverse-mode differentiation of a whole graph. */
import { EidosError } from '../errors.ts';
import { formatShape } from './dimension.ts';
import { type GradientQuery, gradientRules, type InputGradients } from './gradients.ts';
import { add, broadcastLike, scalar } from './operations.ts';
import { type Node, nodesOf, type Value } from './value.ts';

/**
 * Gradients of a loss (one number) with respect to values, in the shapes of the values.
 * A value that the loss does not depend on has a gradient of zeros.
 * @param fixed values that count as constants, whatever they depend on
 */
export function differentiate(loss: Value, values: readonly Value[], fixed: readonly Value[] = []): Value[] {
  if (loss.shape.length !== 0) {
    throw new EidosError('invalid_graph', `A loss is one number, not ${formatShape(loss.shape)}`);
  }
  return differentiateFrom([{ value: loss, gradient: scalar(1) }], values, fixed);
}

/** The same from given gradients of several results, as when a loss is computed elsewhere. */
export function differentiateFrom(
  seeds: readonly { value: Value; gradient: Value }[],
  values: readonly Value[],
  fixed: readonly Value[] = [],
): Value[] {
  const order = nodesOf(seeds.map((seed) => seed.value));
  const involved = reachedFrom(values, order, new Set(fixed.map(({ node }) => node)));
  const gradients = new Map<Value, Value>();
  const accumulate = (value: Value, gradient: Value): void => {
    const before = gradients.get(value);
    gradients.set(value, before === undefined ? gradient : add(before, gradient));
  };
  for (const { value, gradient } of seeds) accumulate(value, gradient);

  for (const node of order.reverse()) {
    const outputs = node.outputs.map((output) => gradients.get(output));
    if (!involved.has(node) || outputs.every((gradient) => gradient === undefined)) continue;
    const query: GradientQuery = { outputs, wanted: (input) => isInvolved(node.inputs[input]!) };
    inputGradients(node, query).forEach((gradient, i) => {
      if (gradient !== undefined && query.wanted(i)) accumulate(node.inputs[i]!, gradient);
    });
  }
  return values.map((value) => gradients.get(value) ?? broadcastLike(scalar(0), value));

  function isInvolved(value: Value): boolean {
    return involved.has(value.node) && value.type === 'float32';
  }
}

function inputGradients(node: Node, query: GradientQuery): InputGradients {
  const rule = gradientRules[node.operator] as (
    node: Node,
    dy: Value,
    query: GradientQuery,
  ) => InputGradients;
  const first = query.outputs[0] ?? broadcastLike(scalar(0), node.outputs[0]!);
  return rule(node, first, query);
}

/** The nodes that depend on the values, but for those that count as constants. */
function reachedFrom(values: readonly Value[], order: readonly Node[], fixed: ReadonlySet<Node>): Set<Node> {
  const reached = new Set<Node>(values.map((value) => value.node));
  for (const node of order) {
    if (!fixed.has(node) && node.inputs.some((input) => reached.has(input.node))) reached.add(node);
  }
  return reached;
}
