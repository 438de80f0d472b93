import type { Call } from '../../src/machine/uefi/call/call.ts';
import type { Service } from '../../src/machine/uefi/call/service.ts';
import { bootServices } from '../../src/machine/uefi/services/boot/index.ts';
import { protocolServices } from '../../src/machine/uefi/services/index.ts';
import { runtimeServices } from '../../src/machine/uefi/services/runtime/index.ts';
import { commands } from '../../src/machine/uefi/shell/commands.ts';
import { Status } from '../../src/machine/uefi/status.ts';
import type { Blocks } from './blocks.ts';
import { code, table } from './table.ts';

/** Does the service only say EFI_UNSUPPORTED? Such a one takes no arguments and touches nothing but the log. */
function isUnsupported(service: Service): boolean {
  if (service.arguments.length > 0) return false;
  const call = { returnTo: 0n, fw: { machine: { log: { once: () => {} } } } } as unknown as Call;
  return service.invoke(call) === Status.UNSUPPORTED;
}

const serviceTable = (services: readonly (Service | undefined)[]): string =>
  table(
    ['Service', 'Arguments', ''],
    services.flatMap((s) => (s ? [[code(s.name), s.arguments.join(', '), isUnsupported(s) ? 'EFI_UNSUPPORTED' : '']] : [])),
  );

export const uefiBlocks: Blocks = {
  'boot-services': () => serviceTable(bootServices),
  'runtime-services': () => serviceTable(runtimeServices),
  protocols: () => serviceTable(protocolServices),
  commands: () =>
    table(
      ['Command', 'Other names', 'Purpose'],
      commands.map((c) => {
        const [usage = '', purpose = ''] = c.help.split(': ');
        return [code(usage), (c.aliases ?? []).map(code).join(' '), purpose];
      }),
    ),
};
