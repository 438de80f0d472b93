/* Cooperative threads: a ring per processor. schedule() returns at once when the caller is the only thread. */
#include "../include/core.h"

void thread_switch(u64 *save_rsp, u64 rsp); /* thread_switch.S */
void thread_start(void);

/* A thread that has ended leaves the ring when another one passes by; its stack is not reused: boot makes one thread. */
void schedule(void)
{
	struct thread *me = this_cpu()->running;

	while (me->next->exited)
		me->next = me->next->next;
	if (me->next == me)
		return;
	this_cpu()->running = me->next;
	thread_switch(&me->rsp, me->next->rsp);
}

/* The first code of every thread; thread_start calls it. */
void thread_body(void)
{
	struct thread *me = this_cpu()->running;

	me->function(me->argument);
	me->exited = true;
	schedule();
	panic("an ended thread was scheduled\n");
}

struct thread *thread_new(void (*function)(void *), void *argument)
{
	struct thread *me = this_cpu()->running, *thread = alloc_pages(2);
	u64 *stack = (u64 *)((u8 *)thread + 2 * PAGE_SIZE);

	*--stack = 0;			/* end of the chain of frame pointers */
	*--stack = (u64)thread_start;	/* thread_switch returns there */
	stack -= 6;			/* rbp, rbx, r12-r15 */
	thread->function = function;
	thread->argument = argument;
	thread->rsp = (u64)stack;
	thread->next = me->next;
	me->next = thread;
	return thread;
}
