import type { Cpu } from '../cpu/cpu.ts';
import { ud } from '../cpu/fault.ts';
import type { Plain } from '../devices/device.ts';
import type { MachineServices } from '../machine-services.ts';
import type { PhysAddr } from '../memory/address.ts';
import { buildAcpi } from './acpi/tables.ts';
import { gdtBytes, identityTables, idtBytes } from './boot/descriptors.ts';
import { describeMachine } from './boot/memory-map.ts';
import { setUpProcessor } from './boot/processor.ts';
import { placeStubs, type PlacedStub } from './boot/stubs.ts';
import { startTick, TIMER_VECTOR } from './boot/timer.ts';
import type { CallerAccess } from './call/access.ts';
import { Call } from './call/call.ts';
import { linearAccess } from './call/linear-access.ts';
import { TRANSFERRED, type Service } from './call/service.ts';
import { typeBytes } from './console/keys.ts';
import type { FirmwareContext, FirmwareOptions } from './context.ts';
import { describeFirmware } from './describe.ts';
import { GuestMemory } from './guest-memory.ts';
import { Guids } from './guids.ts';
import { firmwareLayout, type FirmwareLayout } from './layout.ts';
import { EXCEPTIONS, runtimeNames, services } from './services/index.ts';
import { defaultVariables } from './services/runtime/variables.ts';
import { initialState, type FirmwareState } from './state.ts';
import { Status } from './status.ts';
import { installConsoles, installFileSystem, installServices } from './tables/protocols.ts';
import { convertTables, dropBootMembers, tablePlaces, writeConfiguration, writeTables } from './tables/system-table.ts';

const SLOT_SIZE = 16;
const VENDOR = 'vmxscope';
const [RET, INT3] = [0xc3, 0xcc];

/**
 * The built-in UEFI: services in TypeScript behind real tables in guest memory. A service's address is a trap slot; when a processor
 * executes there, `trap` does the whole service and the return, as one instruction. All state is plain data in `state`
 * and in guest memory.
 */
export class Firmware implements FirmwareContext {
  readonly machine: MachineServices;
  readonly options: FirmwareOptions;
  readonly layout: FirmwareLayout;
  readonly memory: GuestMemory;
  readonly access: CallerAccess;
  readonly maxConfiguration: number;
  readonly trapRange: { readonly base: PhysAddr; readonly length: number };
  state: FirmwareState = initialState();
  readonly #slots: ReadonlyMap<string, number>;
  readonly #stubs: readonly PlacedStub[];
  /** A call that ended in a fault is the same call when it comes again: observers see it once. Not machine state. */
  #faulted: string | undefined;

  constructor(machine: MachineServices, options: FirmwareOptions = {}) {
    this.machine = machine;
    this.options = options;
    this.layout = firmwareLayout(machine.memory.ramSize);
    this.memory = new GuestMemory(machine.memory);
    this.access = options.access ?? linearAccess;
    this.maxConfiguration = tablePlaces(this).maxConfiguration;
    this.trapRange = { base: this.layout.traps.base, length: services.length * SLOT_SIZE };
    if (this.trapRange.length > this.layout.traps.length) throw new Error('too many firmware services for the trap range');
    this.#slots = new Map(services.map((s, n) => [s.name, this.trapRange.base + n * SLOT_SIZE]));
    this.#stubs = placeStubs(this.layout.stubs.base, (name) => this.slot(name));
  }

  slot(name: string): number {
    const at = this.#slots.get(name);
    if (at === undefined) throw new Error(`no firmware service ${name}`);
    return at;
  }

  stub(name: string): number {
    const stub = this.#stubs.find((s) => s.name === name);
    if (!stub) throw new Error(`no firmware stub ${name}`);
    return stub.address;
  }

  /** Name of the stub at an address, for observers. */
  stubAt(address: number): string | undefined {
    return this.#stubs.find((s) => address >= s.address && address < s.address + s.bytes.length)?.name;
  }

  /** Power-on and reset: guest memory gets the firmware's tables and code, the boot processor its environment. */
  setUp(cpu: Cpu): void {
    const kept = this.state.variables.filter((v) => (v.attributes & 1) !== 0);
    this.state = initialState();
    this.state.variables = [...defaultVariables().filter((d) => !kept.some((k) => k.name === d.name && k.guid === d.guid)), ...kept];
    describeMachine(this);
    this.#writeCode();
    const consoles = installConsoles(this);
    installFileSystem(this);
    installServices(this);
    writeTables(this, VENDOR, consoles);
    const { acpi, acpiNvs } = this.layout;
    const rsdp = buildAcpi(acpi.base, acpiNvs.base, this.machine.cpus.length, (at, bytes) => this.memory.write(at, bytes));
    this.state.configuration = [Guids.acpi20, Guids.acpi10].map((guid) => ({ guid, table: rsdp }));
    this.writeConfiguration();
    setUpProcessor(this, cpu);
    startTick(this);
  }

  #writeCode(): void {
    const { traps, stubs, gdt, idt, pageTables } = this.layout;
    this.memory.fill(traps.base, traps.length, INT3);
    for (const at of this.#slots.values()) this.memory.write(at, Uint8Array.of(RET));
    this.memory.fill(stubs.base, stubs.length, INT3);
    for (const s of this.#stubs) this.memory.write(s.address, s.bytes);
    this.memory.write(gdt.base, gdtBytes());
    const gate = (vector: number): number =>
      vector < EXCEPTIONS ? this.slot(`Exception.${vector}`) : this.stub(vector === TIMER_VECTOR ? 'timer interrupt' : 'other interrupt');
    this.memory.write(idt.base, idtBytes(gate));
    this.memory.write(pageTables.base, identityTables(pageTables.base));
  }

  /** The processor executes at a trap slot. Throws GuestFault or ABANDONED with nothing changed. */
  trap(cpu: Cpu, phys: PhysAddr): void {
    const offset = phys - this.trapRange.base;
    const service = offset % SLOT_SIZE === 0 ? services[offset / SLOT_SIZE] : undefined;
    if (!service) throw ud(); // in a slot, not at its beginning
    const call = new Call(this, cpu, service.name.replace(/\.(again|asked)$/, ''));
    const observed = !service.hidden;
    const key = `${cpu.index} ${service.name} ${call.stack}`;
    try {
      if (observed && this.machine.probe?.firmwareCall && this.#faulted !== key) {
        const args = service.arguments.map((_, n) => call.argument(n));
        this.machine.probe.firmwareCall(cpu, service.name, args);
      }
      const result = this.#invoke(service, call);
      this.#faulted = undefined;
      if (result === TRANSFERRED) return;
      call.finish(result);
      if (observed || call.service !== service.name) this.machine.probe?.firmwareReturn?.(cpu, call.service, result);
    } catch (e) {
      this.#faulted = key;
      throw e;
    }
  }

  #invoke(service: Service, call: Call): ReturnType<Service['invoke']> {
    if (!this.state.exited || runtimeNames.has(service.name) || service.hidden) return service.invoke(call);
    this.machine.log.once(`efi exited ${service.name}`, `${service.name} was called after ExitBootServices: EFI_UNSUPPORTED`);
    return Status.UNSUPPORTED;
  }

  /** Bytes typed at the console's terminal. */
  key(bytes: Uint8Array): void {
    if (!this.state.exited) typeBytes(this.state, bytes);
  }

  /** Name of what lies at an address of the firmware's code: a service or a stub. */
  serviceAt(phys: PhysAddr): string | undefined {
    const offset = phys - this.trapRange.base;
    if (offset >= 0 && offset < this.trapRange.length) return services[Math.floor(offset / SLOT_SIZE)]!.name;
    return this.#stubs.find((s) => phys >= s.address && phys < s.address + s.bytes.length)?.name;
  }

  writeConfiguration(): void {
    writeConfiguration(this);
  }
  dropBootMembers(): void {
    dropBootMembers(this);
  }
  convertTables(convert: (address: bigint) => bigint | undefined): void {
    convertTables(this, convert);
  }

  snapshot(): Plain {
    return structuredClone(this.state) satisfies Plain;
  }
  restore(state: Plain): void {
    this.state = structuredClone(state) as FirmwareState;
  }
  describe(): string {
    return describeFirmware(this);
  }
}
