/** How much work a graph is: floating-point operations, as they are counted in the field. */
import { type Dimension, isSymbolic, size } from './dimension.ts';
import type { OperatorName } from './operators.ts';
import { type Node, type NodeOf, nodesOf, type Value } from './value.ts';

type CostRule<K extends OperatorName> = (node: NodeOf<K>, count: (dimension: Dimension) => number) => number;

/** Only products count; a multiplication and an addition are two operations. The rest of a network is a few per cent. */
const products: { readonly [K in 'matmul' | 'gemm' | 'conv' | 'convTranspose']: CostRule<K> } = {
  matmul: ({ inputs: [a], outputs: [y] }, count) =>
    2 * count(size(y!.shape)) * count(a!.shape[a!.shape.length - 1]!),
  gemm: ({ inputs: [a], outputs: [y], attributes: { transposeA } }, count) =>
    2 * count(size(y!.shape)) * count(a!.shape[transposeA ? 0 : 1]!),
  conv: ({ inputs: [, kernel], outputs: [y] }, count) =>
    2 * count(size(y!.shape)) * count(size(kernel!.shape.slice(1))),
  convTranspose: ({ inputs: [x, kernel] }, count) =>
    2 * count(size(x!.shape)) * count(size(kernel!.shape.slice(1))),
};

/** Floating-point operations of all products that the results need, for symbolic sizes of one. */
export function floatingPointOperations(results: readonly Value[]): number {
  const count = (dimension: Dimension): number => (isSymbolic(dimension) ? dimension.factor : dimension);
  return nodesOf(results).reduce((sum, node) => sum + costOf(node, count), 0);
}

function costOf(node: Node, count: (dimension: Dimension) => number): number {
  if (!(node.operator in products)) return 0;
  const rule = products[node.operator as keyof typeof products] as CostRule<OperatorName>;
  return rule(node, count);
}
