/* Handlers of VM exits, vt/exit_*.c. Each leaves the virtual CPU ready for the next VM entry. */
#pragma once
#include "vt.h"

void exit_cpuid(void);
void exit_cr_access(void);
void exit_rdmsr(void);
void exit_wrmsr(void);
void exit_xsetbv(void);
void exit_ept_violation(void);
void exit_init_signal(void);
void exit_sipi(void);
void exit_vmcall(void);
void exit_invd(void);
void exit_flush_by_exit(void);
void exit_undefined(void);
