/* Row 7's start_all_processors, and the C part of an AP's way to callmain64 and ap_proc (SDM Vol. 3 section 9.4). */
#include "../include/boot_info.h"
#include "../include/core.h"
#include "../include/cpu.h"
#include "../include/early.h"
#include "../include/msr.h"
#include "../include/string.h"

#define MAX_APS 63
#define AP_STACK_PAGES 2

#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_ICR_LOW 0x300 /* SDM Vol. 3 section 11.6.1 */
#define ICR_INIT 0x4500	   /* INIT, level assert */
#define ICR_STARTUP 0x4600 /* start-up; the vector is the page number */
#define ICR_ALL_BUT_SELF 0xc0000
#define ICR_PENDING BIT(12)

u32 ap_stacks_ready;
u64 ap_stack_tops[MAX_APS + 1]; /* callmain64 takes number i for the i-th processor that arrives after the BSP */

extern u32 processors_arrived; /* entry.S; counts the BSP */
extern u8 ap_trampoline[], ap_trampoline_end[], ap_trampoline_cr3[], ap_trampoline_far_pointer[], ap_trampoline_gdtr[], ap_trampoline_gdt[];
extern u8 ap_trampoline_code64[];

static void (*ap_function)(void);
static u32 aps_launched;

/* About a microsecond each on a PC, and one instruction anywhere. */
static void io_delay(u32 times)
{
	while (times--)
		outb(0x80, 0);
}

static void send_ipi_all_but_self(u32 command)
{
	const u64 base = rdmsr(MSR_IA32_APIC_BASE);

	if (!(base & APIC_BASE_ENABLE))
		return;
	if (base & APIC_BASE_X2APIC) {
		wrmsr(MSR_X2APIC_ICR, ICR_ALL_BUT_SELF | command);
	} else {
		volatile u32 *icr = phys_to_virt((base & 0xffffff000) + APIC_ICR_LOW);

		*icr = ICR_ALL_BUT_SELF | command;
		for (u32 i = 0; i < 1000 && (*icr & ICR_PENDING); i++)
			cpu_pause();
	}
}

static void place_trampoline(u64 phys)
{
	u8 *page = phys_to_virt(phys);
#define AT(symbol, type) (*(type *)(page + ((symbol) - ap_trampoline)))

	memcpy(page, ap_trampoline, (u64)(ap_trampoline_end - ap_trampoline));
	AT(ap_trampoline_cr3, u32) = (u32)boot_info.final_cr3;
	AT(ap_trampoline_far_pointer, u32) = (u32)(phys + (u64)(ap_trampoline_code64 - ap_trampoline));
	AT(ap_trampoline_gdtr + 2, u32) = (u32)(phys + (u64)(ap_trampoline_gdt - ap_trampoline));
}

static u32 logical_processors_possible(void)
{
	const struct cpuid_result features = cpuid(1, 0);

	return features.edx & BIT(28) ? features.ebx >> 16 & 0xff : 1; /* HTT; SDM Vol. 2, CPUID */
}

static bool wait_until(const u32 *counter, u32 wanted, u32 patience)
{
	while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) < wanted) {
		if (patience-- == 0)
			return false;
		io_delay(1);
	}
	return true;
}

/* INIT, start-up, start-up to all but this one. Without a MADT the number to wait for is not known: then those that
   come within a short time are the machine's. */
static void start_aps(void)
{
	u32 cpus = boot_info.madt_cpus ? boot_info.madt_cpus : logical_processors_possible();

	kprintf("vmxguest: processors: %u in the MADT, up to %u by CPUID\n", boot_info.madt_cpus, logical_processors_possible());
	if (cpus <= 1)
		return;
	if (cpus > MAX_APS + 1)
		cpus = MAX_APS + 1;
	for (u32 i = 1; i < cpus; i++)
		ap_stack_tops[i] = (u64)alloc_pages(AP_STACK_PAGES) + AP_STACK_PAGES * PAGE_SIZE;
	__atomic_store_n(&ap_stacks_ready, cpus - 1, __ATOMIC_RELEASE);
	place_trampoline(boot_info.low_page);
	send_ipi_all_but_self(ICR_INIT);
	io_delay(200);
	for (u32 i = 0; i < 2; i++) {
		send_ipi_all_but_self(ICR_STARTUP | (u32)(boot_info.low_page >> 12));
		if (wait_until(&processors_arrived, cpus, 2000))
			break;
	}
	cpus = __atomic_load_n(&processors_arrived, __ATOMIC_ACQUIRE);
	if (!wait_until(&aps_launched, cpus - 1, 5000000)) /* their messages may be slow, but they are on their way */
		kprintf("vmxguest: only %u of %u other processors started their VM\n", aps_launched, cpus - 1);
}

/* A processor started by the guest before it is in its VM would be lost: the BSP waits for this. */
void ap_has_launched(void)
{
	__atomic_fetch_add(&aps_launched, 1, __ATOMIC_RELEASE);
}

/* Called by callmain64 on every processor but the BSP. */
BOOT_ROW void apinitproc0(u32 index)
{
	pcpu_init(index);
	ROW();
	ap_function();
}

BOOT_ROW void start_all_processors(void (*bsp)(void), void (*ap)(void))
{
	ROW();
	ap_function = ap;
	start_aps();
	bsp();
}
