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
/** A debugger watches data: accesses that the TLB does not know are looked at one by one. */
export const WATCHED = 0x1c0;
/** Every block is compiled when it is entered, for tests. */
export const FORCED = 0x1c4;
/** What is plain RAM for certain: physical addresses below PLAIN_END, and PLAIN_BYTES from PLAIN_AGAIN on (u64 each). */
export const PLAIN_END = 0x1c8;
export const PLAIN_AGAIN = 0x1d0;
export const PLAIN_BYTES = 0x1d8;
/** Reserved bits of paging-structure entries, by the model: address bits, and those of an entry that maps 1 GByte (u64 each). */
export const RESERVED_ADDRESS = 0x1e0;
export const RESERVED_1G = 0x1e8;

export const MAX_CPUS = 16;
export const CPU_BLOCKS = 0x1_0000;
export const CPU_BLOCK_SIZE = 0x2000;

/**
 * A TLB half: data entries, code entries, and a bit for each entry that may be valid, by which the half is flushed. A context is
 * two halves, supervisor and user (CPL 3), so that a privilege change does not flush, and a header. There are `TLB_CONTEXTS` of
 * them per CPU, for address spaces and PCIDs. mmu/tlb.ts says what they hold.
 */
export const TLB_ENTRIES = 1024;
export const TLB_ENTRY_SIZE = 32; // i64 read tag, i64 write tag, i32 host page, i32 physical page number, i32 written since seen, i32 host minus linear
export const CODE_TLB_ENTRIES = 512;
export const CODE_TLB_ENTRY_SIZE = 16; // i64 tag, i32 code page table address, 4 spare
export const TLB_USED = TLB_ENTRIES * TLB_ENTRY_SIZE + CODE_TLB_ENTRIES * CODE_TLB_ENTRY_SIZE;
export const TLB_HALF_SIZE = TLB_USED + (TLB_ENTRIES + CODE_TLB_ENTRIES) / 8 + 64;
export const TLB_CONTEXT_HEADER = 2 * TLB_HALF_SIZE;
/** The header: paging registers, then the numbers of pages larger than 4 KBytes (mmu/big-pages.ts). */
export const BIG_PAGES = TLB_CONTEXT_HEADER + 64;
export const BIG_PAGES_SIZE = 64 * 8 * 8;
export const TLB_CONTEXT_SIZE = BIG_PAGES + BIG_PAGES_SIZE;
export const TLB_CONTEXTS = 8;
export const TLB_PER_CPU = TLB_CONTEXTS * TLB_CONTEXT_SIZE;
export const TLBS = 0x4_0000;
/** One more half for each CPU, for CPL 3 with alignment checking. */
export const ALIGN_HALVES = TLBS + MAX_CPUS * TLB_PER_CPU;

/** Heads of loops and regions (tier 1); and the last target of indirect jumps, by record. Caches. */
export const REGION_ENTRIES = 0xd0_0000;
export const REGION_ENTRY_COUNT = 0x4000;
export const REGION_ENTRY_SIZE = 32;
export const INDIRECT_TARGETS = 0xd8_0000;
export const INDIRECT_TARGET_COUNT = 0x1000;
/** Instructions that tier 1 executed (u64), for statistics. */
export const TIER1_INSTRUCTIONS = INDIRECT_TARGETS + INDIRECT_TARGET_COUNT * 8;

/** Vectors by immediate byte, 4 KiB a table: semantics/vector/imm-table.ts. Constants. */
export const VECTOR_TABLES = 0xde_0000;
export const VECTOR_TABLES_SIZE = 0x1_0000;

/** Copies of VMCSs that passed the checks of VM entry (vmx/checks/unchanged.ts). A cache. */
export const VMCS_COPIES = VECTOR_TABLES + VECTOR_TABLES_SIZE;
export const VMCS_COPY_SIZE = 0x600;
export const VMCS_COPY_COUNT = 40;
/** The fields of a VMCS by encoding (vmx/field-table.ts), 16 bits each. Constants of the CPU model. */
export const FIELD_TABLE = VMCS_COPIES + VMCS_COPY_COUNT * VMCS_COPY_SIZE;
export const FIELD_TABLE_SIZE = 0x800;
/** By physical page of RAM: the table of its decoded 64-bit code or 0 (u32). */
export const PAGE_CODE = 0xf0_0000;

/**
 * How instructions are decoded by their form: four words for each map, opcode, prefix, REX.W, ModRM.reg and kind of ModRM (tiers/form.ts); a
 * word by ModRM byte; and two words that the decoding loop returns. Caches.
 */
export const FORMS = 0x11c_0000;
export const FORM_MODRM = FORMS + (1 << 16) * 16;
export const FORM_RESULT = FORM_MODRM + 256 * 4;

/** Decoded code: page tables (4096 record addresses each) and records, both bump-allocated and flushed together. */
export const CODE_TABLES = 0x12d_0000;
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

if (FIELD_TABLE + FIELD_TABLE_SIZE > PAGE_CODE) throw new Error('layout: the table of VMCS fields overlaps code tables by page');
if (ALIGN_HALVES + MAX_CPUS * TLB_HALF_SIZE > REGION_ENTRIES) throw new Error('layout: TLBs overlap region entries');
if (PAGE_CODE + (MAX_RAM / PAGE_SIZE) * 4 > FORMS) throw new Error('layout: code tables by page overlap forms');
if (FORM_RESULT + 64 > CODE_TABLES) throw new Error('layout: forms overlap code tables');
