/* A processor's own data, GDT and TSS. */
#include "../include/pcpu.h"
#include "../include/core.h"
#include "../include/cpu.h"
#include "../include/layout.h"
#include "../include/msr.h"

static struct pcpu bsp;

void pcpu_init(u32 index)
{
	struct pcpu *cpu = index == 0 ? &bsp : alloc_pages(1);
	const u64 tss = (u64)&cpu->tss, limit = sizeof cpu->tss - 1;
	const struct dtr gdtr = { sizeof cpu->gdt - 1, (u64)cpu->gdt };

	_Static_assert(sizeof *cpu <= PAGE_SIZE, "struct pcpu");
	cpu->self = cpu;
	cpu->index = index;
	cpu->running = &cpu->main_thread;
	cpu->main_thread.next = &cpu->main_thread;
	cpu->tss.io_map_base = sizeof cpu->tss;

	/* SDM Vol. 3 section 3.4.5; 64-bit TSS descriptor: section 8.2.3 */
	cpu->gdt[SEL_CODE64 / 8] = 0x00af9b000000ffff;
	cpu->gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	cpu->gdt[SEL_TSS / 8] = 0x890000000000 | limit | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	cpu->gdt[SEL_TSS / 8 + 1] = tss >> 32;
	lgdt(&gdtr);
	ltr(SEL_TSS);
	wrmsr(MSR_IA32_GS_BASE, (u64)cpu);
	idt_load();
	pcpu_ready = true;
}
