/* Machine code made at run time: the same bytes in every emulator and natively. */
#include "generate.h"

static void byte(struct generator *g, u32 v)
{
	*g->at++ = v;
}

static void word32(struct generator *g, u32 v)
{
	*(u32 *)g->at = v;
	g->at += 4;
}

/* rax, rcx, rdx, r8..r11 */
static u32 pick(struct generator *g)
{
	static const u8 registers[8] = { 0, 1, 2, 8, 9, 10, 11, 0 };
	return registers[next_random(&g->random) & 7];
}

/* opcode with a register and a register or memory operand. */
static void modrm(struct generator *g, int wide, u32 opcode, u32 reg, u32 rm, int memory)
{
	u32 rex = (wide ? 0x48 : 0x40) | (reg >> 3 & 1) << 2 | (memory ? 0 : rm >> 3 & 1);
	if (rex != 0x40)
		byte(g, rex);
	if (opcode >> 8)
		byte(g, opcode >> 8);
	byte(g, opcode & 0xff);
	if (memory) {
		byte(g, 0x86 | (reg & 7) << 3); /* [rsi+disp32] */
		word32(g, next_random(&g->random) & 0xfff8);
	} else
		byte(g, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static void one(struct generator *g)
{
	static const u8 alu[8] = { 0x01, 0x29, 0x31, 0x21, 0x09, 0x39, 0x85, 0x01 };
	u32 a = pick(g), b = pick(g), r = next_random(&g->random) >> 4;
	int wide = r >> 8 & 1;
	switch (r & 15) {
	case 0:
	case 1:
	case 2:
		return modrm(g, wide, 0x89, a, b, 0); /* mov r, r */
	case 3:
	case 4:
	case 5:
		return modrm(g, wide, alu[r >> 4 & 7], a, b, 0);
	case 6:
	case 7:
	case 8:
		return modrm(g, wide, 0x8b, a, 0, 1); /* mov r, [m] */
	case 9:
	case 10:
		return modrm(g, wide, 0x89, a, 0, 1); /* mov [m], r */
	case 11:
		modrm(g, wide, 0x83, r >> 4 & 7, b, 0); /* alu r, imm8 */
		return byte(g, r >> 9 & 0x7f);
	case 12:
		if (b >> 3)
			byte(g, 0x41);
		byte(g, 0xb8 | (b & 7)); /* mov r, imm32 */
		return word32(g, r);
	case 13:
		byte(g, 0x48 | (a >> 3 & 1) << 2 | (b >> 3 & 1)); /* lea r, [b + disp8] */
		byte(g, 0x8d);
		byte(g, 0x40 | (a & 7) << 3 | (b & 7));
		return byte(g, r >> 4 & 0x7f);
	case 14:
		modrm(g, wide, 0xc1, r >> 4 & 1 ? 4 : 5, b, 0); /* shl or shr r, imm8 */
		return byte(g, r >> 5 & 15);
	default:
		return modrm(g, 0, r >> 4 & 1 ? 0x0fb6 : 0x0faf, a, b, r >> 5 & 1); /* movzx or imul */
	}
}

/* test edi, 1 << n; jz or jnz over the next few. */
static void branch(struct generator *g, u32 *count)
{
	u8 *jump;
	u32 r = next_random(&g->random), skipped = 1 + (r & 3);
	byte(g, 0xf7);
	byte(g, 0xc7);
	word32(g, 1u << (r >> 2 & 31));
	byte(g, 0x74 | (r >> 7 & 1));
	jump = g->at++;
	for (u32 n = 0; n < skipped; n++)
		one(g);
	*jump = g->at - jump - 1;
	*count = *count > skipped + 2 ? *count - skipped - 2 : 0;
}

void emit_instructions(struct generator *g, u32 count)
{
	while (count) {
		if ((next_random(&g->random) & 7) == 0)
			branch(g, &count);
		else {
			one(g);
			count--;
		}
	}
}

void emit_call(struct generator *g, const u8 *target)
{
	byte(g, 0xe8);
	word32(g, (u32)(target - (g->at + 4)));
}

void emit_function(struct generator *g, u32 count, const u8 *callee)
{
	u32 r = next_random(&g->random);
	byte(g, 0x53); /* push rbx */
	emit_instructions(g, count / 2);
	if ((r & 3) == 0) {
		u8 *loop;
		byte(g, 0xbb); /* mov ebx, n */
		word32(g, 2 + (r >> 2 & 7));
		loop = g->at;
		for (u32 n = 0; n < 4; n++)
			one(g);
		byte(g, 0xff); /* dec ebx; jnz */
		byte(g, 0xcb);
		byte(g, 0x75);
		byte(g, (u32)(loop - (g->at + 1)));
	}
	if (callee)
		emit_call(g, callee);
	emit_instructions(g, count / 2);
	byte(g, 0x5b);
	byte(g, 0xc3);
}

void call_generated(const u8 *code, u32 random)
{
	register const u8 *data __asm__("rsi") = DATA;
	register u32 bits __asm__("rdi") = random;
	__asm__ volatile("call *%2" : "+r"(data), "+r"(bits) : "b"(code) : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
}
