/* Start-up phases. INITFUNC puts a row into a section that the linker sorts by name: "pcpu0".."pcpu9". */
#include "../include/core.h"
#include "../include/string.h"

extern const struct initfunc initfuncs[], initfuncs_end[];

static bool has_prefix(const char *name, const char *prefix)
{
	for (; *prefix; prefix++, name++)
		if (*name != *prefix)
			return false;
	return true;
}

BOOT_ROW void call_initfunc(const char *phase)
{
	ROW();
	for (const struct initfunc *f = initfuncs; f < initfuncs_end; f++)
		if (has_prefix(f->name, phase))
			f->function();
}
