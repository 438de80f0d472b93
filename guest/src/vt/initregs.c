/* Row 12, first half: the VM's registers are the firmware's, as uefi_entry_save_regs saw them. With an unrestricted guest
   the VM starts in real mode, as a machine does, and the first code (copy_uefi_bootcode.c) turns paging on. */
#include "../include/boot_info.h"
#include "../include/cpu.h"
#include "../include/early.h"
#include "../include/msr.h"
#include "../include/vt.h"

/* Access rights, SDM Vol. 3 section 25.4.1 */
#define AR_UNUSABLE 0x10000
#define AR_TSS_BUSY 0x8b
#define AR_REAL_MODE_DATA 0x93
#define AR_ACCESSED 1
#define AR_CODE_OR_DATA BIT(4)

static void segment_from_gdt(enum segment segment, u16 selector)
{
	const u64 *descriptor = phys_to_virt(firmware.gdtr.base + (selector & ~7u));
	u64 base, low;
	u32 limit, rights;

	if ((selector & ~7u) == 0 || (selector & ~7u) + 7 > firmware.gdtr.limit) {
		/* TR must be usable at VM entry (SDM Vol. 3 section 27.3.1.2); firmware often has none */
		guest_segment(segment, 0, 0, segment == SEG_TR ? 0x67 : 0, segment == SEG_TR ? AR_TSS_BUSY : AR_UNUSABLE);
		return;
	}
	low = descriptor[0];
	base = (low >> 16 & 0xffffff) | (low >> 56) << 24;
	limit = (u32)((low & 0xffff) | (low >> 32 & 0xf0000));
	rights = (u32)(low >> 40 & 0xff) | (u32)(low >> 52 & 0xf) << 12;
	if (low & BIT(55)) /* granularity */
		limit = limit << 12 | 0xfff;
	if (rights & AR_CODE_OR_DATA)
		rights |= AR_ACCESSED;
	else
		base |= descriptor[1] << 32;
	if (segment == SEG_FS)
		base = firmware.fs_base;
	if (segment == SEG_GS)
		base = firmware.gs_base;
	guest_segment(segment, selector, base, limit, rights);
}

static void start_in_real_mode(void)
{
	for (enum segment s = SEG_ES; s <= SEG_GS; s++)
		guest_segment(s, 0, 0, 0xffff, AR_REAL_MODE_DATA);
	guest_efer(firmware.efer & ~EFER_LMA);
	guest_cr0(firmware.cr0 & ~(CR0_PE | CR0_PG));
}

static void start_in_long_mode(void)
{
	segment_from_gdt(SEG_ES, firmware.es);
	segment_from_gdt(SEG_CS, firmware.cs);
	segment_from_gdt(SEG_SS, firmware.ss);
	segment_from_gdt(SEG_DS, firmware.ds);
	segment_from_gdt(SEG_FS, firmware.fs);
	segment_from_gdt(SEG_GS, firmware.gs);
	guest_efer(firmware.efer);
	guest_cr0(firmware.cr0);
}

BOOT_ROW void initregs(void)
{
	u64 debugctl = 0;

	ROW();
	segment_from_gdt(SEG_LDTR, firmware.ldtr);
	segment_from_gdt(SEG_TR, firmware.tr);
	if (current->unrestricted_guest)
		start_in_real_mode();
	else
		start_in_long_mode();
	vmwrite(GUEST_CR3, firmware.cr3);
	guest_cr4(firmware.cr4);
	vmwrite(GUEST_GDTR_BASE, firmware.gdtr.base);
	vmwrite(GUEST_GDTR_LIMIT, firmware.gdtr.limit);
	vmwrite(GUEST_IDTR_BASE, firmware.idtr.base);
	vmwrite(GUEST_IDTR_LIMIT, firmware.idtr.limit);
	vmwrite(GUEST_DR7, read_dr7());
	vmwrite(GUEST_RSP, 0);
	vmwrite(GUEST_RIP, 0);
	vmwrite(GUEST_RFLAGS, RFLAGS_FIXED); /* interrupts come on again when uefi_entry_ret restores RFLAGS */
	vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	vmwrite(GUEST_INTERRUPTIBILITY, 0);
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite(GUEST_SMBASE, 0);
	rdmsr_safe(MSR_IA32_DEBUGCTL, &debugctl); /* Bochs 2.7 does not have it */
	vmwrite(GUEST_IA32_DEBUGCTL, debugctl);
	vmwrite(GUEST_IA32_SYSENTER_CS, rdmsr(MSR_IA32_SYSENTER_CS));
	vmwrite(GUEST_IA32_SYSENTER_ESP, rdmsr(MSR_IA32_SYSENTER_ESP));
	vmwrite(GUEST_IA32_SYSENTER_EIP, rdmsr(MSR_IA32_SYSENTER_EIP));
}
