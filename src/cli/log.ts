/** A message for the person at the terminal: standard error, so that standard output stays the guest's or the report's. */
export const log = (message: string): void => void process.stderr.write(`vmxscope: ${message}\n`);
