/* The VT-x part of the VMM, vt/. */
#pragma once
#include "core.h"
#include "vmcs.h"

enum gpr { RAX, RCX, RDX, RBX, RSP_IN_VMCS, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPRS };

struct vmctl { /* how the core drives a virtual CPU */
	void (*vminit)(void);
	void (*start_vm)(void);
};

struct vcpu {
	u64 gpr[GPRS]; /* offset 0: vt_run.S; numbered as instructions and exit qualifications number them */
	const struct vmctl *vmctl;
	u64 vmxon_region, vmcs_region; /* physical */
	u64 exits, exit_of_sipi; /* counts; the second is the exit count at the last start-up IPI */
	bool launched;
	bool ept, unrestricted_guest, efer_switched, wait_for_sipi;
};

extern const struct vmctl vt_vmctl;

/* vt_init.c */
void vt_global_init(void);
u64 vmx_capability_fixed(u32 fixed0_msr, u64 value);
/* vt_main.c */
void vt_start_vm(void);
/* vt_controls.c, vt_host.c */
void vt_set_controls(void);
void vt_set_host_state(void);
/* vt_guest_state.c */
void guest_segment(enum segment segment, u16 selector, u64 base, u32 limit, u32 access_rights);
void guest_cr0(u64 value);
void guest_cr4(u64 value);
void guest_efer(u64 value);
u64 guest_read_efer(void);
/* initregs.c, initregs_ap.c, copy_uefi_bootcode.c */
void initregs(void);
void initregs_ap(void);
void init_state_of_processor(void);
void copy_uefi_bootcode(void);
/* ept.c, mtrr.c */
bool ept_usable(void);
u64 ept_pointer(void);
void ept_build(void);
bool ept_map_on_demand(u64 guest_physical);
int mtrr_type_of(u64 start, u64 size); /* memory type, or -1: more than one */
/* exits.c */
void vt_exit(void);
/* vt_run.S: 0 after a VM exit; else 1 = VMfailInvalid, 2 = VMfailValid */
int vt__vm_run_first(u64 *gpr);
int vt__vm_resume(u64 *gpr);
/* inject.c */
#define VECTOR_DB 1
#define VECTOR_UD 6
#define VECTOR_GP 13
void inject_exception(u32 vector);
void inject_gp0(void);
void skip_instruction(void);
