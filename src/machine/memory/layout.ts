/**
 * The one map of the linear memory (a single `WebAssembly.Memory`) that holds all machine state: CPU blocks, TLBs,
 * decoded code and guest RAM. Emitted WebAssembly and TypeScript agree on these numbers and on nothing else.
 */

export const PAGE_SIZE = 4096;

/** Where a slow-path access stages its bytes: MMIO, page-crossing, watched and code-page accesses (64 bytes used). */
export const BOUNCE = 0x100;
export const BOUNCE_END = 0x180;
/** Words between the run loop and emitted code. LEAVE: leave at the end of the current instruction. */
export const LEAVE = 0x180;
/** Someone watches instructions one by one (a probe, a debugger, a step): quick ways are not taken. */
export const OBSERVED = 0x184;
/** The budget that was left when IRET returned with RF and emitted code goes on; what stops before another instruction restores RF. */
export const RESUMED = 0x188;
/** The machine's time, in whole ticks, at which the run's budget is used up (u64): less what is left of it, it is now. */
export const RUN_END = 0x190;
/** What each handler's records count as (tiers/record.ts: RecordClass), a byte each by handler number. Constants. */
export const RECORD_CLASSES = 0x1000;
export const RECORD_CLASSES_SIZE = 0x8000;

export const MAX_CPUS = 16;
export const CPU_BLOCKS = 0x1_0000;
export const CPU_BLOCK_SIZE = 0x2000;

/**
 * A TLB context: data entries, then code entries. There are `TLB_CONTEXTS` address-space contexts per CPU, each with a
 * supervisor and a user half (CPL 3), so that neither a privilege change nor a VM entry flushes.
 */
export const TLB_ENTRIES = 1024;
export const TLB_ENTRY_SIZE = 32; // i64 read tag, i64 write tag, i32 host page, i32 physical page number, i32 written since seen, i32 host minus linear
export const CODE_TLB_ENTRIES = 512;
export const CODE_TLB_ENTRY_SIZE = 16; // i64 tag, i32 code page table address, 4 spare
export const TLB_HALF_SIZE = TLB_ENTRIES * TLB_ENTRY_SIZE + CODE_TLB_ENTRIES * CODE_TLB_ENTRY_SIZE;
export const TLB_CONTEXTS = 4;
export const TLB_PER_CPU = TLB_CONTEXTS * 2 * TLB_HALF_SIZE;
export const TLBS = 0x4_0000;

/** Heads of loops and regions (tier 1); and the last target of indirect jumps, by record. Caches. */
export const REGION_ENTRIES = 0x70_0000;
export const REGION_ENTRY_COUNT = 0x4000;
export const REGION_ENTRY_SIZE = 32;
export const INDIRECT_TARGETS = 0x78_0000;
export const INDIRECT_TARGET_COUNT = 0x1000;
/** Instructions that tier 1 executed (u64), for statistics. */
export const TIER1_INSTRUCTIONS = INDIRECT_TARGETS + INDIRECT_TARGET_COUNT * 8;

/** Vectors by immediate byte, 4 KiB a table: semantics/vector/imm-table.ts. Constants. */
export const VECTOR_TABLES = 0x7e_0000;
export const VECTOR_TABLES_SIZE = 0x1_0000;

/** Copies of VMCSs that passed the checks of VM entry (vmx/checks/unchanged.ts). A cache. */
export const VMCS_COPIES = VECTOR_TABLES + VECTOR_TABLES_SIZE;
export const VMCS_COPY_SIZE = 0x600;
export const VMCS_COPY_COUNT = 40;
/** The fields of a VMCS by encoding (vmx/field-table.ts), 16 bits each. Constants of the CPU model. */
export const FIELD_TABLE = VMCS_COPIES + VMCS_COPY_COUNT * VMCS_COPY_SIZE;
export const FIELD_TABLE_SIZE = 0x800;

/**
 * How instructions are decoded by their form: four words for each map, opcode, prefix, REX.W, ModRM.reg and kind of ModRM (tiers/form.ts); a
 * word by ModRM byte; and two words that the decoding loop returns. Caches.
 */
export const FORMS = 0x80_0000;
export const FORM_MODRM = FORMS + (1 << 16) * 16;
export const FORM_RESULT = FORM_MODRM + 256 * 4;

/** Decoded code: page tables (4096 record addresses each) and records, both bump-allocated and flushed together. */
export const CODE_TABLES = 0x91_0000;
export const CODE_TABLE_SIZE = PAGE_SIZE * 4;
export const CODE_TABLE_COUNT = 3072;
export const RECORDS = CODE_TABLES + CODE_TABLE_SIZE * CODE_TABLE_COUNT;
export const RECORD_SIZE = 16;
export const RECORDS_SIZE = 48 << 20;

/** RAM may not reach the PCI hole, and all of it must fit a 32-bit linear memory. */
export const MAX_RAM = 0xc000_0000 - 0x1000_0000;

/** A byte for each page of RAM: what writes to it must be seen for (mmu/locate.ts: `PageMark`). */
export const PAGE_MARKS = RECORDS + RECORDS_SIZE;

/** Guest physical address 0. RAM is contiguous from here. */
export const RAM = PAGE_MARKS + MAX_RAM / PAGE_SIZE;

if (TLBS + MAX_CPUS * (TLB_PER_CPU + TLB_HALF_SIZE) > REGION_ENTRIES) throw new Error('layout: TLBs overlap region entries');
if (FIELD_TABLE + FIELD_TABLE_SIZE > FORMS) throw new Error('layout: the table of VMCS fields overlaps forms');
