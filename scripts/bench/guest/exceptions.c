/* Events through the IDT and back. */
#include "privileged.h"

enum { ROUNDS = 30000 };

void on_interrupt(void), on_ud(void), on_pf(void), on_leave(void), on_syscall(void);
/* Runs `ecx` rounds at CPL 3. */
void user_interrupts(u64 rounds), user_syscalls(u64 rounds);
extern u64 *fault_entry;

static u64 *const table = (u64 *)RAM_END;
static u8 *const page = (u8 *)0x40000000;

static void setup(void)
{
	set_gate(0x40, on_interrupt, 0);
	set_gate(0x80, on_interrupt, 3);
	set_gate(0x81, on_leave, 3);
	set_gate(6, on_ud, 0);
	set_gate(14, on_pf, 0);
	u64 *const page_directory = table + 512;
	table[0] = (u64)DATA + 6;
	page_directory[0] = (u64)table + 7;
	pdpt[1] = (u64)page_directory + 7;
	fault_entry = table;
	write_msr(0xc0000081, 0x08ul << 32 | 0x10ul << 48); /* STAR */
	write_msr(0xc0000082, (u64)on_syscall);             /* LSTAR */
	write_msr(0xc0000084, 0);
}

static void run_int(void)
{
	for (u32 n = 0; n < ROUNDS; n++)
		__asm__ volatile("int $0x40" ::: "memory");
}

static void run_ud(void)
{
	for (u32 n = 0; n < ROUNDS; n++)
		__asm__ volatile("ud2" ::: "memory");
}

/* The handler maps the page; it is unmapped again each time. */
static void run_pf(void)
{
	u64 sum = 0;
	for (u32 n = 0; n < ROUNDS; n++) {
		sum += *(volatile u64 *)page;
		table[0] &= ~1ul;
		invlpg(page);
	}
	result += sum;
}

static void run_user_int(void)
{
	user_interrupts(ROUNDS);
}

static void run_syscall(void)
{
	user_syscalls(ROUNDS);
}

const struct kernel int_kernel = { .setup = setup, .run = run_int, .operations = ROUNDS };
const struct kernel ud_kernel = { .setup = setup, .run = run_ud, .operations = ROUNDS };
const struct kernel pf_kernel = { .setup = setup, .run = run_pf, .operations = ROUNDS };
const struct kernel user_int_kernel = { .setup = setup, .run = run_user_int, .operations = ROUNDS };
const struct kernel syscall_kernel = { .setup = setup, .run = run_syscall, .operations = ROUNDS };
