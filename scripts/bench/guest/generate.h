#pragma once
#include "guest.h"

struct generator {
	u8 *at;
	u32 random;
};

/* Instructions as compilers write them, on rax, rcx, rdx, r8-r11 and memory at rsi; edi decides branches. */
void emit_instructions(struct generator *g, u32 count);
/* A function of about `count` instructions with branches, now and then a short loop; it may call `callee`. */
void emit_function(struct generator *g, u32 count, const u8 *callee);
void emit_call(struct generator *g, const u8 *target);
/* Calls generated code: rsi = DATA, edi = `random`. */
void call_generated(const u8 *code, u32 random);
