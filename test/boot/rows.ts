/** The boot sequence that the embedded guest performs (guest/README.md): what a person must see at each row. */
export interface Row {
  readonly symbol: string;
  /** Source file of the innermost frame. */
  readonly file: string;
  readonly vmx: 'off' | 'root' | 'guest';
  /** Whose page tables: the firmware's, the second-stage loader's, the VMM's. */
  readonly tables: 'firmware' | 'loader' | 'vmm';
  /** The backtrace, innermost function first, as far as it has names. */
  readonly callers: readonly string[];
  /** 1 unless told. */
  readonly thread?: number;
}

const bsp = ['bsp_proc', 'start_all_processors', 'vmm_main', 'callmain64'];
const pass = ['create_pass_vm', 'call_initfunc', ...bsp];
const boot = ['vmmcall_boot_thread', 'thread_body', 'thread_start'];

const early = { file: 'early/entry.S', vmx: 'off' } as const;
const core = { vmx: 'off', tables: 'vmm' } as const;
const vmm = { vmx: 'root', tables: 'vmm' } as const;

export const rows: readonly Row[] = [
  { symbol: 'efi_main', file: 'loader/efi_main.c', vmx: 'off', tables: 'firmware', callers: [] },
  { symbol: 'entry', ...early, tables: 'firmware', callers: ['efi_main'] },
  { symbol: 'uefi64_entry', ...early, tables: 'firmware', callers: ['efi_main'] },
  { symbol: 'uefi_entry_save_regs', ...early, tables: 'firmware', callers: ['uefi64_entry', 'efi_main'] },
  { symbol: 'uefi_init', file: 'early/uefi_init.c', vmx: 'off', tables: 'loader', callers: ['uefi64_entry'] },
  { symbol: 'uefi_entry_start', ...early, tables: 'loader', callers: ['uefi_init', 'uefi64_entry'] },
  { symbol: 'callmain64', ...early, tables: 'vmm', callers: [] },
  { symbol: 'vmm_main', file: 'core/vmm_main.c', ...core, callers: ['callmain64'] },
  { symbol: 'start_all_processors', file: 'core/smp.c', ...core, callers: ['vmm_main', 'callmain64'] },
  { symbol: 'bsp_proc', file: 'core/vmm_main.c', ...core, callers: bsp.slice(1) },
  { symbol: 'create_pass_vm', file: 'core/vmm_main.c', ...core, callers: pass.slice(1) },
  { symbol: 'vmxon', file: 'vt/vmx_instructions.c', ...core, callers: ['vt_vminit', ...pass] },
  { symbol: 'vmmcall_boot_enable', file: 'core/vmmcall_boot.c', ...vmm, callers: pass },
  { symbol: 'wait_for_boot_continue', file: 'core/vmmcall_boot.c', ...vmm, callers: ['vmmcall_boot_enable', ...pass] },
  { symbol: 'vmmcall_boot_thread', file: 'core/vmmcall_boot.c', ...vmm, callers: boot.slice(1) },
  { symbol: 'bsp_init_thread', file: 'core/vmm_main.c', ...vmm, callers: boot },
  { symbol: 'initregs', file: 'vt/initregs.c', ...vmm, callers: ['bsp_init_thread', ...boot] },
  { symbol: 'copy_uefi_bootcode', file: 'vt/copy_uefi_bootcode.c', ...vmm, callers: ['bsp_init_thread', ...boot] },
  { symbol: 'vt_start_vm', file: 'vt/vt_main.c', ...vmm, callers: pass },
  { symbol: 'vt_mainloop', file: 'vt/vt_main.c', ...vmm, callers: ['vt_start_vm', ...pass] },
  { symbol: 'vt__vm_run', file: 'vt/vt_main.c', ...vmm, callers: ['vt_mainloop', 'vt_start_vm', ...pass] },
  { symbol: 'vt__vm_run_first', file: 'vt/vt_run.S', ...vmm, callers: ['vt__vm_run', 'vt_mainloop', 'vt_start_vm', ...pass] },
  { symbol: 'vmlaunch', file: 'vt/vt_run.S', ...vmm, callers: ['vt__vm_run', 'vt_mainloop', 'vt_start_vm', ...pass] },
  { symbol: 'uefi_entry_ret', file: 'early/entry.S', vmx: 'guest', tables: 'firmware', callers: [] },
];

/** On the second processor, after vmm_main has started it and before bsp_proc. */
export const apRow: Row = { symbol: 'apinitproc0', file: 'core/smp.c', ...core, callers: ['callmain64'], thread: 2 };

/** The rows in the order of a boot with so many processors. */
export function rowsWith(cpus: number): readonly Row[] {
  if (cpus === 1) return rows;
  const at = rows.findIndex((r) => r.symbol === 'bsp_proc');
  return [...rows.slice(0, at), apRow, ...rows.slice(at)];
}
