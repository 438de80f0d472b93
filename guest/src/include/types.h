/* The few C types the guest needs: it is freestanding, so nothing comes from a C library. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

#define PAGE_SIZE 0x1000ull
#define BIT(n) (1ull << (n))
#define PACKED __attribute__((packed))
#define ALIGNED(n) __attribute__((aligned(n)))
#define NORETURN __attribute__((noreturn))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A row of the boot sequence: a function a person sets a breakpoint on. `noipa` keeps the compiler from inlining,
   cloning or specializing it, so that the symbol is hit exactly once per call and always with its plain ABI. */
#define BOOT_ROW __attribute__((noipa))
