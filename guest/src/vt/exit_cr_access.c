/* MOV to and from control registers and LMSW, where VMX makes them exit: bits it forces, and CR3 on processors that
   cannot let it pass (SDM Vol. 3 section 26.1.3; qualification: table 28-3). */
#include "../include/cpu.h"
#include "../include/early.h"
#include "../include/exits.h"

enum { TO_CR, FROM_CR, CLTS, LMSW };

static u64 read_gpr(u32 n)
{
	return n == RSP_IN_VMCS ? vmread(GUEST_RSP) : current->gpr[n];
}

static void write_gpr(u32 n, u64 value)
{
	if (n == RSP_IN_VMCS)
		vmwrite(GUEST_RSP, value);
	else
		current->gpr[n] = value;
}

/* What the guest believes to have written: the shadow where the VMM owns the bit. */
static u64 guest_view(enum vmcs_field cr, enum vmcs_field mask, enum vmcs_field shadow)
{
	return (vmread(cr) & ~vmread(mask)) | (vmread(shadow) & vmread(mask));
}

/* The page-directory-pointer entries that MOV CR loads with PAE paging (SDM Vol. 3 section 4.4.1); with EPT they are
   guest state of their own. */
static void load_pdptes(void)
{
	const u64 *entries = phys_to_virt(vmread(GUEST_CR3) & 0xffffffe0);

	for (u32 i = 0; i < 4; i++)
		vmwrite(GUEST_PDPTE0 + 2 * i, entries[i]);
}

static bool write_cr0_of_guest(u64 value)
{
	const u64 old = vmread(GUEST_CR0);
	u64 efer = guest_read_efer();

	if (value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
		return false;
	if (!current->unrestricted_guest && (value & (CR0_PE | CR0_PG)) != (CR0_PE | CR0_PG))
		panic("the guest leaves protected mode with paging (CR0 0x%llx): that needs an unrestricted guest\n", value);
	if ((value ^ old) & CR0_PG) {
		if (!(value & CR0_PG))
			efer &= ~EFER_LMA;
		else if (efer & EFER_LME)
			efer |= EFER_LMA;
		guest_efer(efer);
	}
	guest_cr0(value);
	if (current->ept && (value & ~old & CR0_PG) && (vmread(GUEST_CR4) & CR4_PAE) && !(efer & EFER_LMA))
		load_pdptes();
	return true;
}

static bool write_cr4_of_guest(u64 value)
{
	if (value & CR4_VMXE) /* not offered by CPUID, so a reserved bit */
		return false;
	guest_cr4(value);
	return true;
}

static bool write_cr(u32 cr, u64 value)
{
	if (cr == 0)
		return write_cr0_of_guest(value);
	if (cr == 4)
		return write_cr4_of_guest(value);
	if (cr != 3)
		panic("unexpected exit: write of CR%u\n", cr);
	/* Bit 63 asks not to flush; without VPID this very exit has flushed everything (SDM Vol. 3 section 29.4.3.1). */
	vmwrite(GUEST_CR3, vmread(GUEST_CR4) & CR4_PCIDE ? value & ~BIT(63) : value);
	return true;
}

void exit_cr_access(void)
{
	const u64 qualification = vmread(EXIT_QUALIFICATION);
	const u32 cr = qualification & 0xf, type = qualification >> 4 & 3, gpr = qualification >> 8 & 0xf;
	const u64 cr0 = guest_view(GUEST_CR0, CR0_GUEST_HOST_MASK, CR0_READ_SHADOW);
	bool ok = true;

	if (type == TO_CR)
		ok = write_cr(cr, read_gpr(gpr));
	else if (type == FROM_CR && cr == 3)
		write_gpr(gpr, vmread(GUEST_CR3));
	else if (type == CLTS)
		ok = write_cr(0, cr0 & ~BIT(3));
	else if (type == LMSW) /* changes PE (only to 1), MP, EM, TS */
		ok = write_cr(0, (cr0 & ~0xeull) | (qualification >> 16 & 0xf));
	else
		panic("unexpected exit: read of CR%u\n", cr);
	if (ok)
		skip_instruction();
	else
		inject_gp0();
}
