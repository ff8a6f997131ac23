/** The language models are written in: values that know their shape, made by nodes that know their operator. */
import type { Shape } from './dimension.ts';
import type { OperatorName, Operators } from './operators.ts';

/** Element types inside a graph; a program may compute `float32` values in a narrower type. */
export type ValueType = 'float32' | 'int64' | 'bool';

/** One output of a node. Values are immutable; a graph is whatever its results reach. */
export interface Value {
  readonly node: Node;
  /** Which of the node's outputs. */
  readonly index: number;
  readonly shape: Shape;
  readonly type: ValueType;
}

/** One application of an operator. */
export interface NodeOf<K extends OperatorName> {
  readonly operator: K;
  readonly attributes: Operators[K];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

export type Node = { [K in OperatorName]: NodeOf<K> }[OperatorName];

/** All nodes that the results reach, each after the nodes that it reads. */
export function nodesOf(results: readonly Value[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // An explicit stack: a network of some thousand nodes in a row would overflow the call stack.
  const stack: { node: Node; next: number }[] = [];
  const enter = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    stack.push({ node, next: 0 });
  };
  for (const result of results) {
    enter(result.node);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.node.inputs[top.next++];
      if (input !== undefined) enter(input.node);
      else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}

/** The parameters that the results depend on, in the order in which the model declares them. */
export function parametersOf(results: readonly Value[]): NodeOf<'parameter'>[] {
  return nodesOf(results).filter((node): node is NodeOf<'parameter'> => node.operator === 'parameter');
}

/** The inputs that the results depend on. */
export function inputsOf(results: readonly Value[]): NodeOf<'input'>[] {
  return nodesOf(results).filter((node): node is NodeOf<'input'> => node.operator === 'input');
}
