import { guid, inOut64, kept, optionalGuid, optionalOut64, out64, pointer, u32, uintn } from '../../call/arguments.ts';
import type { Call } from '../../call/call.ts';
import { service, type Result } from '../../call/service.ts';
import { OpenAttribute } from '../../constants.ts';
import { probeCall } from '../../events/context.ts';
import { finishWithDispatch } from '../../events/dispatch.ts';
import { findEvent, requireEvent, signalEvent, signalGroup } from '../../events/events.ts';
import { guidBytes, guidText, Guids, type Guid } from '../../guids.ts';
import { decodePath, startsWith } from '../../handles/device-path.ts';
import {
  eventsFor, findHandle, installProtocol, interfaceAddress, locateHandles, protocolOn, requireHandle, Search, uninstallProtocol,
} from '../../handles/database.ts'; // prettier-ignore
import { allocateBootData } from '../../memory/pool.ts';
import { Pack } from '../../pack.ts';
import { invalid, Refusal, Status } from '../../status.ts';
import { opaque, type Opaque } from '../../state.ts';

/** Protocol handler services: UEFI 2.10, 7.3. */

const NATIVE_INTERFACE = 0;

/** Signals the notifications of RegisterProtocolNotify and ends the service. The stack was probed. */
function announced(call: Call, guids: readonly Guid[]): Result {
  const { state } = call.fw;
  for (const event of guids.flatMap((g) => eventsFor(state, g))) {
    const entry = findEvent(state, event);
    if (entry) signalEvent(state, entry);
  }
  return finishWithDispatch(call, Status.SUCCESS);
}

export const InstallProtocolInterface = service(
  'InstallProtocolInterface',
  [inOut64('Handle'), guid('Protocol'), u32('InterfaceType'), kept('Interface')],
  (call, handle, protocol, type, at) => {
    if (type !== NATIVE_INTERFACE) throw invalid();
    probeCall(call.fw, call.cpu, call.stack);
    handle.set(installProtocol(call.fw.state, handle.value, protocol, at));
    return announced(call, [protocol]);
  },
);

export const ReinstallProtocolInterface = service(
  'ReinstallProtocolInterface',
  [uintn('Handle'), guid('Protocol'), kept('OldInterface'), kept('NewInterface')],
  (call, handle, protocol, old, next) => {
    const { state } = call.fw;
    const entry = protocolOn(requireHandle(state, handle), protocol);
    if (!entry || entry.interface !== old) return Status.NOT_FOUND;
    probeCall(call.fw, call.cpu, call.stack);
    entry.interface = next;
    for (const r of state.registrations) if (r.guid === protocol && !r.fresh.includes(handle)) r.fresh.push(handle);
    return announced(call, [protocol]);
  },
);

export const UninstallProtocolInterface = service(
  'UninstallProtocolInterface',
  [uintn('Handle'), guid('Protocol'), kept('Interface')],
  ({ fw }, handle, protocol, at) => {
    uninstallProtocol(fw.state, handle, protocol, at);
    return Status.SUCCESS;
  },
);

/** The variable arguments (GUID *, interface) up to NULL, from argument 1 on. */
function pairs(call: Call): [Guid, Opaque][] {
  const out: [Guid, Opaque][] = [];
  for (let n = 1; ; n += 2) {
    const at = call.argument(n);
    if (at === 0n) return out;
    if (out.length > 256) throw invalid();
    out.push([guidText(call.read(at, 16)), opaque(call.argument(n + 1))]);
  }
}

export const InstallMultipleProtocolInterfaces = service('InstallMultipleProtocolInterfaces', [inOut64('Handle')], (call, handle) => {
  const { state } = call.fw;
  const list = pairs(call);
  probeCall(call.fw, call.cpu, call.stack);
  // All or nothing: what would fail is found first.
  const entry = handle.value === 0 ? undefined : requireHandle(state, handle.value);
  list.forEach(([g], n) => {
    if ((entry && protocolOn(entry, g)) || list.findIndex(([other]) => other === g) !== n) throw invalid();
  });
  // The same device path may not be on two handles: UEFI 2.10, 7.3.18.
  for (const [g, at] of list) {
    if (g === Guids.devicePath && state.handles.some((h) => protocolOn(h, g)?.interface === at)) throw new Refusal(Status.ALREADY_STARTED);
  }
  let h = handle.value;
  for (const [g, at] of list) h = installProtocol(state, h, g, at);
  handle.set(h);
  return announced(
    call,
    list.map(([g]) => g),
  );
});

export const UninstallMultipleProtocolInterfaces = service('UninstallMultipleProtocolInterfaces', [uintn('Handle')], (call, handle) => {
  const { state } = call.fw;
  const list = pairs(call);
  const entry = requireHandle(state, handle);
  for (const [g, at] of list) {
    const p = protocolOn(entry, g);
    if (!p || p.interface !== at || p.opens.some((o) => (o.attributes & 0x38) !== 0)) throw invalid();
  }
  for (const [g, at] of list) uninstallProtocol(state, handle, g, at);
  return Status.SUCCESS;
});

export const HandleProtocol = service(
  'HandleProtocol',
  [uintn('Handle'), guid('Protocol'), out64('Interface')],
  ({ fw }, handle, protocol, result) => {
    const found = protocolOn(requireHandle(fw.state, handle), protocol);
    result.set(found?.interface ?? 0);
    return found ? Status.SUCCESS : Status.UNSUPPORTED;
  },
);

export const RegisterProtocolNotify = service(
  'RegisterProtocolNotify',
  [guid('Protocol'), uintn('Event'), out64('Registration')],
  ({ fw }, protocol, event, result) => {
    const { state } = fw;
    requireEvent(state, event);
    const key = allocateBootData(state, 32);
    const fresh = state.handles.filter((h) => protocolOn(h, protocol)).map((h) => h.handle);
    state.registrations.push({ key, guid: protocol, event, fresh });
    result.set(key);
    return Status.SUCCESS;
  },
);

/** A handle that LocateHandle gave for a registration is not given again. */
function consume(call: Call, how: number, key: number): void {
  if (how === Search.byRegisterNotify) call.fw.state.registrations.find((r) => r.key === key)!.fresh.shift();
}

const encodeHandles = (handles: readonly number[]): Uint8Array => handles.reduce((p, h) => p.u64(h), new Pack()).done();

export const LocateHandle = service(
  'LocateHandle',
  [u32('SearchType'), optionalGuid('Protocol'), uintn('SearchKey'), inOut64('BufferSize'), pointer('Buffer')],
  (call, how, protocol, key, size, at) => {
    const handles = locateHandles(call.fw.state, how, protocol, key);
    if (handles.length === 0) return Status.NOT_FOUND;
    const room = size.value;
    size.set(handles.length * 8);
    if (room < handles.length * 8) return Status.BUFFER_TOO_SMALL;
    if (at === 0n) throw invalid();
    call.write(at, encodeHandles(handles));
    consume(call, how, key);
    return Status.SUCCESS;
  },
);

/** A result in pool that the caller frees. */
function giveBuffer(call: Call, bytes: Uint8Array): number {
  const at = allocateBootData(call.fw.state, bytes.length);
  call.fw.memory.write(at, bytes);
  return at;
}

export const LocateHandleBuffer = service(
  'LocateHandleBuffer',
  [u32('SearchType'), optionalGuid('Protocol'), uintn('SearchKey'), out64('NoHandles'), out64('Buffer')],
  (call, how, protocol, key, count, result) => {
    const handles = locateHandles(call.fw.state, how, protocol, key);
    count.set(handles.length);
    result.set(0);
    if (handles.length === 0) return Status.NOT_FOUND;
    result.set(giveBuffer(call, encodeHandles(handles)));
    consume(call, how, key);
    return Status.SUCCESS;
  },
);

export const LocateProtocol = service(
  'LocateProtocol',
  [guid('Protocol'), uintn('Registration'), out64('Interface')],
  (call, protocol, registration, result) => {
    const { state } = call.fw;
    const how = registration === 0 ? Search.byProtocol : Search.byRegisterNotify;
    const [first] = locateHandles(state, how, protocol, registration);
    const entry = first === undefined ? undefined : findHandle(state, first);
    const found = entry && protocolOn(entry, protocol);
    result.set(found?.interface ?? 0);
    if (!found) return Status.NOT_FOUND;
    consume(call, how, registration);
    return Status.SUCCESS;
  },
);

export const LocateDevicePath = service(
  'LocateDevicePath',
  [guid('Protocol'), inOut64('DevicePath'), out64('Device')],
  (call, protocol, path, result) => {
    const { state, memory } = call.fw;
    const wanted = decodePath((offset, length) => call.read(BigInt(path.value) + BigInt(offset), length));
    if (!wanted) throw invalid();
    let best = { handle: 0, nodes: -1 };
    for (const h of state.handles) {
      const at = protocolOn(h, protocol) && interfaceAddress(state, h.handle, Guids.devicePath);
      const nodes = at ? decodePath((offset, length) => memory.read(at + offset, length))?.nodes : undefined;
      if (nodes && nodes.length > best.nodes && startsWith(wanted.nodes, nodes)) best = { handle: h.handle, nodes: nodes.length };
    }
    if (best.nodes < 0) return Status.NOT_FOUND;
    result.set(best.handle);
    path.set(path.value + wanted.nodes.slice(0, best.nodes).reduce((n, node) => n + 4 + node.data.length, 0));
    return Status.SUCCESS;
  },
);

/**
 * The agent may be anything with GET_PROTOCOL: EDK II's core does not look at it there, and BitVisor passes a handle that is none.
 */
export const OpenProtocol = service(
  'OpenProtocol',
  [uintn('Handle'), guid('Protocol'), optionalOut64('Interface'), kept('AgentHandle'), kept('ControllerHandle'), u32('Attributes')],
  (call, handle, protocol, result, agent, controller, attributes) => {
    const { state } = call.fw;
    const { byHandle, getProtocol, testProtocol, byChild, byDriver, exclusive } = OpenAttribute;
    const valid = [byHandle, getProtocol, testProtocol, byChild, byDriver, exclusive, byDriver | exclusive];
    if (!valid.includes(attributes as 1) || (!result.given && attributes !== testProtocol)) throw invalid();
    const strict = (attributes & (byChild | byDriver | exclusive)) !== 0;
    if (strict && !findHandle(state, Number(BigInt(agent)))) throw invalid();
    if ((attributes & (byChild | byDriver)) !== 0 && !findHandle(state, Number(BigInt(controller)))) throw invalid();
    if (attributes === byChild && Number(BigInt(controller)) === handle) throw invalid();
    const found = protocolOn(requireHandle(state, handle), protocol);
    if (!found) {
      if (attributes !== testProtocol) result.set(0);
      return Status.UNSUPPORTED;
    }
    if (strict && attributes !== byChild) {
      const owner = found.opens.find((o) => (o.attributes & (byDriver | exclusive)) !== 0);
      if (owner) return owner.agent === agent && owner.attributes === attributes ? Status.ALREADY_STARTED : Status.ACCESS_DENIED;
    }
    if (attributes !== testProtocol) {
      result.set(found.interface);
      const same = found.opens.find((o) => o.agent === agent && o.controller === controller && o.attributes === attributes);
      if (same) same.count++;
      else found.opens.push({ agent, controller, attributes, count: 1 });
    }
    return Status.SUCCESS;
  },
);

export const CloseProtocol = service(
  'CloseProtocol',
  [uintn('Handle'), guid('Protocol'), kept('AgentHandle'), kept('ControllerHandle')],
  ({ fw }, handle, protocol, agent, controller) => {
    const found = protocolOn(requireHandle(fw.state, handle), protocol);
    const before = found?.opens.length ?? 0;
    if (found) found.opens = found.opens.filter((o) => o.agent !== agent || o.controller !== controller);
    return found && found.opens.length < before ? Status.SUCCESS : Status.NOT_FOUND;
  },
);

export const OpenProtocolInformation = service(
  'OpenProtocolInformation',
  [uintn('Handle'), guid('Protocol'), out64('EntryBuffer'), out64('EntryCount')],
  (call, handle, protocol, result, count) => {
    const found = protocolOn(requireHandle(call.fw.state, handle), protocol);
    if (!found) return Status.NOT_FOUND;
    const pack = new Pack();
    for (const o of found.opens) pack.u64(BigInt(o.agent)).u64(BigInt(o.controller)).u32(o.attributes).u32(o.count);
    result.set(giveBuffer(call, pack.done()));
    count.set(found.opens.length);
    return Status.SUCCESS;
  },
);

/** One pool block: the array of pointers, then the GUIDs they point at. */
export const ProtocolsPerHandle = service(
  'ProtocolsPerHandle',
  [uintn('Handle'), out64('ProtocolBuffer'), out64('ProtocolBufferCount')],
  (call, handle, result, count) => {
    const { protocols } = requireHandle(call.fw.state, handle);
    const at = allocateBootData(call.fw.state, protocols.length * 24);
    const pack = new Pack();
    protocols.forEach((_, n) => pack.u64(at + protocols.length * 8 + n * 16));
    for (const p of protocols) pack.bytes(guidBytes(p.guid));
    call.fw.memory.write(at, pack.done());
    result.set(at);
    count.set(protocols.length);
    return Status.SUCCESS;
  },
);

/** There are no driver-model drivers: nothing connects, and nothing is connected. */
export const ConnectController = service('ConnectController', [uintn('ControllerHandle')], ({ fw }, handle) => {
  requireHandle(fw.state, handle);
  return Status.NOT_FOUND;
});
export const DisconnectController = service('DisconnectController', [uintn('ControllerHandle')], ({ fw }, handle) => {
  requireHandle(fw.state, handle);
  return Status.SUCCESS;
});

export const InstallConfigurationTable = service('InstallConfigurationTable', [guid('Guid'), uintn('Table')], (call, id, table) => {
  const { fw } = call;
  const { state } = fw;
  probeCall(fw, call.cpu, call.stack);
  const old = state.configuration.find((c) => c.guid === id);
  if (table === 0) {
    if (!old) return Status.NOT_FOUND;
    state.configuration = state.configuration.filter((c) => c !== old);
  } else if (old) old.table = table;
  else if (state.configuration.length >= fw.maxConfiguration) return Status.OUT_OF_RESOURCES;
  else state.configuration.push({ guid: id, table });
  fw.writeConfiguration();
  // Adding, changing or removing a table signals the event group of its GUID: 7.5.6.
  signalGroup(state, id);
  return finishWithDispatch(call, Status.SUCCESS);
});
