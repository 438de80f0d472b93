/*
 * The benchmark's guest: one kernel of one kind of work, run for ever in batches. Before each batch it writes B to COM1, after
 * it E; the host's clock between the two is the time. Natively (host.c) the same kernels write to standard output.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

/* Work areas, at the same addresses in the guest and in the host's process. */
#define DATA ((u8 *)0x2000000)      /* 16 MiB: what the programs compute on */
#define CODE ((u8 *)0x3000000)      /* generated code */
#define CODE_SIZE 0x8000000         /* 128 MiB */
#define DATA_SIZE 0x1000000
#define RAM_END 0xc000000           /* above it: page tables of the walk kernels */

struct kernel {
	/* Not timed, once and before each batch. */
	void (*setup)(void);
	void (*prepare)(void);
	/* Timed. */
	void (*run)(void);
	/* What a batch counts as, in the kernel's unit. */
	u64 operations;
};

/* Where a kernel leaves its result, so that it is not optimised away. */
extern volatile u64 result;

static inline u32 next_random(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}
