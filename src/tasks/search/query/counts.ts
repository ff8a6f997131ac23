/** Numbers that count something, as callers give them. */
import { EidosError } from '../../../errors.ts';

/** @throws EidosError `invalid_option` */
export function checkCount(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new EidosError('invalid_option', `${name} is ${value}: it must be a whole number from ${least} on.`);
}
