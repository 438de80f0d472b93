/* The VMM's services to its guest: VMCALL at CPL 0 with the function in RAX; the answer comes back in RAX. */
#pragma once
#include "types.h"

#define VMCALL_SIGNATURE 0  /* -> VMCALL_SIGNATURE_VALUE */
#define VMCALL_EXIT_COUNT 1 /* -> VM exits of this virtual CPU so far */
#define VMCALL_CPU_INDEX 2  /* -> 0 on the BSP, 1.. on the others */

#define VMCALL_SIGNATURE_VALUE 0x5453455547584d56ull /* "VMXGUEST" */
#define VMCALL_UNKNOWN (~0ull)

static inline u64 vmcall(u64 function)
{
	asm volatile("vmcall" : "+a"(function) : : "memory");
	return function;
}
