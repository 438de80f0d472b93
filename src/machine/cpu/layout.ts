/**
 * The CPU block: where each piece of one logical processor's state lives, as byte offsets from the block's base.
 * Emitted code uses these offsets as immediates; TypeScript goes through `Cpu`.
 */

/** General registers: slot n at n*8, in encoding order (rax rcx rdx rbx rsp rbp rsi rdi r8..r15). */
export const GPR = 0;
/** Linear address of the page being executed: RIP-relative operands use it as their base register. */
export const SLOT_CODE_PAGE = 16 * 8;
/** Linear address computed by an address micro-record for segmented and 16/32-bit addressing. */
export const SLOT_EA = 17 * 8;
/** Always zero: the "no base" and "no index" register. */
export const SLOT_ZERO = 18 * 8;
export const SLOT_TEMP = 19 * 8; // 19..31

/** RIP as an offset in CS; exact whenever no emitted code is running. */
export const RIP = 0x100;
/** RIP of the instruction after the current one, set before a helper runs. */
export const NEXT_RIP = 0x108;
/**
 * Arithmetic flags, symbolic. RES: result, sign-extended to 64 bits: ZF = RES == 0. AUX = a ^ b ^ r, sign-extended:
 * AF = bit 4, OF = CF ^ sign. FLG: bit 0 CF, bit 1 inverts SF (= sign of RES), bits 8-15 are xored into RES's low byte for PF.
 */
export const RES = 0x110;
export const AUX = 0x118;
export const FLG = 0x120;
/** The other RFLAGS bits in their architectural places (TF IF DF IOPL NT RF VM AC VIF VIP ID); arithmetic bits are 0. */
export const SYSFLAGS = 0x124;
export const CR0 = 0x128;
export const CR2 = 0x130;
export const CR3 = 0x138;
export const CR4 = 0x140;
export const CR8 = 0x148;
export const EFER = 0x150;
export const XCR0 = 0x158;
export const DR0 = 0x160; // DR0..DR7, 8 bytes each; 4 and 5 unused
/** CPL, 0..3 (u32). */
export const CPL = 0x1a0;
/** Code size: 0 = 16-bit, 1 = 32-bit, 2 = 64-bit (u32). */
export const CODE_SIZE = 0x1a4;
/** Bits of `Pending` (u32). */
export const PENDING = 0x1a8;
/** Activity state as in the VMCS: 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI (u32). */
export const ACTIVITY = 0x1ac;
/** Interruptibility as in the VMCS: bit 0 STI, bit 1 MOV SS, bit 3 NMI (u32). */
export const INTERRUPTIBILITY = 0x1b0;
/** 0 VMX off, 1 VMX root, 2 VMX non-root (u32). */
export const VMX_MODE = 0x1b4;
/** Address of the TLB half in use (context and privilege), (i32). */
export const TLB = 0x1b8;
/** Number of the TLB context in use (u32). */
export const TLB_CONTEXT = 0x1bc;
/** Retired instructions (u64). */
export const RETIRED = 0x1c0;
/** What remained of the run's budget when emitted code last called out (i32). */
export const LEFT = 0x1c8;
/** Record being executed when emitted code last called out (i32). */
export const RECORD = 0x1cc;
/** Operands of the memory slow path: linear address (u64). */
export const SLOW_ADDRESS = 0x1d0;
/** Added to the machine's clock by RDTSC (i64): IA32_TSC writes, and in VMX non-root the TSC offset. */
export const TSC_ADJUST = 0x1d8;
export const TSC_OFFSET = 0x1e0;
/** Physical base of the local APIC and enable bits: IA32_APIC_BASE (u64). */
export const APIC_BASE = 0x1e8;
/** The exception being raised by the memory slow path: vector | 0x100 when it has an error code (u32), error code (u32). */
export const FAULT_VECTOR = 0x1f0;
export const FAULT_CODE = 0x1f4;
/** Pending debug exceptions, DR6 layout (u64). */
export const PENDING_DEBUG = 0x1f8;

/** Segment registers and system segments, `SEGMENT_SIZE` bytes each. */
export const SEGMENTS = 0x200;
export const SEGMENT_SIZE = 0x30;
export const SEG_SELECTOR = 0; // u32
export const SEG_ATTR = 4; // u32, VMCS access-rights format: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16
export const SEG_BASE = 8; // u64
export const SEG_LIMIT = 16; // u32, in bytes (G applied)
/** Fast limits: an access of `size` bytes at `offset` is allowed when offset + size <= limit (u64); 0 sends it to the slow path. */
export const SEG_READ_END = 24;
export const SEG_WRITE_END = 32;
export const [ES, CS, SS, DS, FS, GS, LDTR, TR] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** GDTR and IDTR: base u64, limit u32. */
export const GDTR_BASE = 0x380;
export const GDTR_LIMIT = 0x388;
export const IDTR_BASE = 0x390;
export const IDTR_LIMIT = 0x398;

/** In VMX non-root operation with TSC scaling, the multiplier (48 bits of fraction); else 0 (u64). */
export const TSC_MULTIPLIER = 0x3c8;
/** Ticks in RETIRED that were no instruction: event deliveries, all iterations but the last of a repeated string instruction (u64). */
export const NOT_RETIRED = 0x3d0;
/** 1 while a performance counter that is on counts at one privilege level only (u32), and while an overflow waits for HLT to end (u32). */
export const COUNTERS_FILTERED = 0x3d8;
export const COUNTERS_ASLEEP = 0x3dc;
/** In VMX non-root operation, nonzero when physical addresses are translated again, by EPT or for the APIC-access page (u32). */
export const NESTED = 0x3e0;

/** Plain MSR storage, 8 bytes each; `cpu/msr.ts` gives each architectural MSR its index. */
export const MSRS = 0x400;
export const MSR_SLOTS = 127; // ..0x7f8
/** Protection-key rights for user pages (u32): SDM Vol. 3, 2.7. */
export const PKRU = 0x7f8;

/** VMX state of the logical processor; `vmx/state.ts` lays it out. */
export const VMX_STATE = 0x800;
export const VMX_STATE_SIZE = 0x400;

/** XMM/YMM registers: 32 bytes each, 16 of them. */
export const VECTORS = 0xc00;
export const VECTOR_SIZE = 32;
export const MXCSR = 0xe00; // u32
/** x87: control, status, tag (full 16-bit form), opcode (u32 each), FIP, FDP (u64), selectors (u32), then ST0..7 physical registers, 16 bytes each. */
export const FCW = 0xe04;
export const FSW = 0xe08;
export const FTW = 0xe0c;
export const FOP = 0xe10;
export const FIP = 0xe18;
export const FDP = 0xe20;
export const FCS = 0xe28;
export const FDS = 0xe2c;
export const FPR = 0xe40; // ..0xec0
/** Physical address of the line that MONITOR watches, plus 1; 0: none (u64). MONITORED: what it held then, 64 bytes. */
export const MONITOR = 0xec8;
export const MONITORED = 0xf40; // ..0xf80
/** Bound registers: lower bound and one's complement of the upper one (u64 each); then BNDCFGU, BNDSTATUS and IA32_BNDCFGS (u64). */
export const BND = 0xf80; // ..0xfc0
export const BNDCFGU = 0xfc0;
export const BNDSTATUS = 0xfc8;
export const BNDCFGS = 0xfd0;
/** State of the generator behind RDRAND and RDSEED (u64). */
export const RANDOM = 0xec0;
/** Result of the exact floating-point core, 32 bytes; before the call it may hold an operand that has no address. */
export const FLOAT_RESULT = 0xee0; // ..0xf00

/** Bits of PENDING: reasons to leave emitted code at the next boundary. */
export const Pending = {
  interrupt: 1, // the local APIC (or PIC) has a deliverable vector
  nmi: 2,
  init: 4,
  sipi: 8, // vector in bits 24-31
  debug: 16, // single-step trap or data breakpoint
  window: 32, // VMX interrupt/NMI window, or other VMX boundary work
  stop: 64, // the host asked to stop
} as const;
