const cell = (text: string | number): string => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

/** A Markdown table. */
export const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((r) => `| ${r.map(cell).join(' | ')} |`).join('\n');

export const code = (text: string): string => `\`${text}\``;
export const codes = (texts: Iterable<string>): string => [...texts].map(code).join(' ');
export const hex = (n: number, digits = 0): string => `0x${n.toString(16).padStart(digits, '0')}`;
