import { Gpr, type Call } from '../call/call.ts';
import { TRANSFERRED, type Result } from '../call/service.ts';
import { resumeNotify } from '../events/dispatch.ts';
import { resumeContext } from '../events/context.ts';
import { isError } from '../status.ts';
import { discardImage } from './loader.ts';
import { leaveImage } from './start.ts';

/**
 * Guest code that the firmware called has returned. RSP tells which call it was; calls above it were left by other means
 * than a return (a guest may unwind its own stack) and are forgotten.
 */
export function continuation(call: Call): Result {
  const { fw, cpu } = call;
  const { state } = fw;
  const n = state.frames.findLastIndex((f) => BigInt(f.sp) === cpu.rsp);
  if (n < 0) {
    fw.machine.log(`guest code returned into the firmware with RSP 0x${cpu.rsp.toString(16)}, where nothing was called from: the processor stops`);
    cpu.rip = BigInt(fw.stub('halt'));
    return TRANSFERRED;
  }
  const frame = state.frames[n]!;
  state.frames.length = n + 1;
  const status = cpu.gpr(Gpr.rax);
  if (frame.kind === 'notify') resumeNotify(fw, cpu, frame);
  else if (frame.kind === 'image') leaveImage(fw, cpu, frame, status);
  else {
    state.frames.pop();
    const image = state.images.find((i) => i.handle === frame.image);
    if (image && !isError(status)) discardImage(fw, image);
    resumeContext(cpu, frame.context);
    cpu.setGpr(Gpr.rax, status);
  }
  return TRANSFERRED;
}
