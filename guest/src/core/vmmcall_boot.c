/* Rows 10 and 11: the function that prepares the guest runs in a thread of its own, so that it could wait for the guest. */
#include "../include/core.h"

struct boot_request {
	void (*function)(void *);
	void *argument;
};

static struct boot_request request;
static volatile bool continue_flag, enable;

BOOT_ROW static void vmmcall_boot_thread(void *argument)
{
	const struct boot_request *r = argument;

	ROW();
	r->function(r->argument);
	continue_flag = true;
	enable = false;
}

BOOT_ROW static void wait_for_boot_continue(void)
{
	ROW();
	continue_flag = false;
	while (!continue_flag)
		schedule();
}

BOOT_ROW void vmmcall_boot_enable(void (*function)(void *), void *argument)
{
	ROW();
	request.function = function;
	request.argument = argument;
	enable = true;
	thread_new(vmmcall_boot_thread, &request);
	wait_for_boot_continue();
}
