/**
 * Instructions written in TypeScript after which a region goes on: they change no mode, no paging and no code, so that what
 * held on entry still holds. What else they may do (a fault, a VM exit, an interrupt that becomes deliverable, DMA over
 * code) makes the helper ask to leave.
 */
const staying =
  /^(in_imm|in_dx|out_imm|out_dx|rdtscp?|rdmsr|rdpmc|cpuid|pushf|popf|cli|sti|stac|clac|pause|xgetbv|rdrand|rdseed|rdpid|xlat|mov_r_cr|mov_rm_sreg|push_sreg|smsw|str|sldt|daa|das|aaa|aas|aam|aad|salc|pop_rm|v?ldmxcsr|v?stmxcsr|fxsave|rdfsbase|rdgsbase|vmread|vmwrite|emms|f[a-z0-9_]+)$/;

export const staysInRegion = (name: string): boolean => staying.test(name) && name !== 'fxrstor' && name !== 'frstor';
