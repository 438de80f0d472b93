import { machineOptions } from './options.ts';
export const traceOptions = {} as const;
export async function traceCommand(_args: unknown): Promise<number> {
  void machineOptions;
  return 0;
}
