/** Lines of a text, whichever system wrote it. */

/** The lines without their ends: LF, CR LF, or CR alone as old Macs wrote it, also mixed. */
export function linesOf(text: string): string[] {
  return text.split(/\r\n?|\n/);
}
