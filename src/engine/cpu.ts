/** What the processor is, as far as programs depend on it: its name, and whether 8-bit products are exact. */
import { readFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';

/** The processor's name; a prepacked cache is made for one kind of processor. */
export function processorName(): string {
  return `${arch()} ${cpus()[0]?.model ?? 'unknown'} ${[...processorFlags()].sort().join(' ')}`;
}

/**
 * Whether products of 8-bit activations and full 8-bit weights are exact here.
 *
 * x86 without VNNI adds pairs of products in 16 bits, where 2 · 255 · 127 saturates; weights of 7 bits
 * (2 · 255 · 63 = 32130) stay below. VNNI and ARM's instructions add in 32 bits. Where nobody can tell,
 * the answer is no: one bit of precision is lost, but nothing is wrong.
 */
export function hasExactByteProducts(): boolean {
  if (arch() === 'arm64') return true;
  // AMX, too, comes only on processors that have AVX512-VNNI.
  return processorFlags().has('avx512_vnni') || processorFlags().has('avx_vnni');
}

let flags: ReadonlySet<string> | undefined;

/** The instruction sets of an x86 processor by Linux's names; empty where the system does not say. */
function processorFlags(): ReadonlySet<string> {
  flags ??= parseFlags(readProcessorInformation());
  return flags;
}

/** The flags in the text of /proc/cpuinfo. */
export function parseFlags(text: string): ReadonlySet<string> {
  const line = /^flags\s*:\s*(.*)$/m.exec(text)?.[1] ?? '';
  return new Set(line.split(/\s+/).filter((flag) => flag !== ''));
}

function readProcessorInformation(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return ''; // not Linux
  }
}
