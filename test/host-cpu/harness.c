/*
 * Runs instruction cases on the host's own CPU: the oracle of the emulator's integer semantics.
 *
 * Reads cases from standard input, writes one result each to standard output. Code runs at CODE, data lies at DATA (two
 * pages filled from the case's seed); the emulator uses the same addresses.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define CODE 0x500000ul
#define DATA 0x600000ul
#define DATA_SIZE 0x2000ul
#define MAX_CHANGES 8

struct test {
  uint8_t code[48];
  uint32_t length, bits; /* bits: 64 or 32 */
  uint64_t seed;
  uint64_t gpr[16];
  uint64_t flags;
  uint8_t xmm[16][16];
};

struct result {
  uint64_t gpr[16];
  uint64_t flags, rip;
  int64_t vector, error, address;
  uint8_t xmm[16][16];
  uint64_t changes;
  struct { uint64_t at, value; } change[MAX_CHANGES];
};

struct state {
  uint64_t gpr[16], flags, unused;
  uint8_t xmm[16][16];
} __attribute__((aligned(16)));

struct state in, out;
uint64_t harness_rsp, entry = CODE;
volatile int64_t fault_vector, fault_error, fault_address;
volatile uint64_t end_rip;
static struct test t;
static struct result r;

void run_case(void);
void leave_case(void);
extern char leave_case_faulted[];

__asm__(
    ".globl run_case\n"
    "run_case:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  mov %rsp, harness_rsp(%rip)\n"
    "  lea in(%rip), %rax\n"
    "  pushq 128(%rax); popfq\n"
#define LOAD(n) "  movaps 144+" #n "*16(%rax), %xmm" #n "\n"
    LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7)
    LOAD(8) LOAD(9) LOAD(10) LOAD(11) LOAD(12) LOAD(13) LOAD(14) LOAD(15)
    "  mov 8(%rax), %rcx; mov 16(%rax), %rdx; mov 24(%rax), %rbx\n"
    "  mov 32(%rax), %rsp; mov 40(%rax), %rbp; mov 48(%rax), %rsi; mov 56(%rax), %rdi\n"
    "  mov 64(%rax), %r8; mov 72(%rax), %r9; mov 80(%rax), %r10; mov 88(%rax), %r11\n"
    "  mov 96(%rax), %r12; mov 104(%rax), %r13; mov 112(%rax), %r14; mov 120(%rax), %r15\n"
    "  mov 0(%rax), %rax\n"
    "  jmp *entry(%rip)\n"
    ".globl leave_case\n"
    "leave_case:\n"
    "  mov %rax, out+0(%rip); mov %rcx, out+8(%rip); mov %rdx, out+16(%rip); mov %rbx, out+24(%rip)\n"
    "  mov %rsp, out+32(%rip); mov %rbp, out+40(%rip); mov %rsi, out+48(%rip); mov %rdi, out+56(%rip)\n"
    "  mov %r8, out+64(%rip); mov %r9, out+72(%rip); mov %r10, out+80(%rip); mov %r11, out+88(%rip)\n"
    "  mov %r12, out+96(%rip); mov %r13, out+104(%rip); mov %r14, out+112(%rip); mov %r15, out+120(%rip)\n"
    "  mov harness_rsp(%rip), %rsp\n"
    "  pushfq; popq out+128(%rip)\n"
    "  lea out(%rip), %rax\n"
#define SAVE(n) "  movaps %xmm" #n ", 144+" #n "*16(%rax)\n"
    SAVE(0) SAVE(1) SAVE(2) SAVE(3) SAVE(4) SAVE(5) SAVE(6) SAVE(7)
    SAVE(8) SAVE(9) SAVE(10) SAVE(11) SAVE(12) SAVE(13) SAVE(14) SAVE(15)
    ".globl leave_case_faulted\n"
    "leave_case_faulted:\n"
    "  pushq $0x202; popfq\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

/* ucontext's register numbers in encoding order. */
static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void on_fault(int signal, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  greg_t *g = u->uc_mcontext.gregs;
  (void)signal;
  fault_vector = g[REG_TRAPNO];
  fault_error = g[REG_ERR];
  fault_address = (int64_t)info->si_addr;
  for (int n = 0; n < 16; n++) out.gpr[n] = g[order[n]];
  out.flags = g[REG_EFL];
  memcpy(out.xmm, u->uc_mcontext.fpregs->_xmm, sizeof out.xmm);
  end_rip = g[REG_RIP];
  g[REG_RIP] = (greg_t)leave_case_faulted;
  g[REG_RSP] = harness_rsp;
  g[REG_EFL] = 0x202;
}

int main(void) {
  static uint8_t alternate[65536];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  uint8_t *code = mmap((void *)CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  uint64_t *data = mmap((void *)DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  static uint64_t before[DATA_SIZE / 8];
  if (code != (void *)CODE || data != (void *)DATA) {
    fprintf(stderr, "host-cpu harness: the addresses %lx and %lx are not free\n", CODE, DATA);
    return 2;
  }
  sigaltstack(&stack, 0);
  for (unsigned n = 0; n < sizeof signals / sizeof *signals; n++) sigaction(signals[n], &action, 0);

  while (fread(&t, sizeof t, 1, stdin) == 1) {
    uint32_t x = (uint32_t)t.seed;
    for (unsigned n = 0; n < DATA_SIZE / 4; n++) {
      x = x * 1664525u + 1013904223u;
      ((uint32_t *)before)[n] = x ^ (x >> 15);
    }
    memcpy(data, before, DATA_SIZE);
    memset(code, 0xcc, 128);
    memcpy(code, t.code, t.length);
    /* jmp *0(%rip); .quad leave_case */
    uint8_t *end = code + t.length;
    memcpy(end, "\xff\x25\0\0\0\0", 6);
    uint64_t back = (uint64_t)leave_case;
    memcpy(end + 6, &back, 8);

    memcpy(in.gpr, t.gpr, sizeof in.gpr);
    in.flags = t.flags | 0x202;
    memcpy(in.xmm, t.xmm, sizeof in.xmm);
    fault_vector = -1;
    fault_error = fault_address = 0;
    end_rip = CODE + t.length;
    run_case();

    memset(&r, 0, sizeof r);
    memcpy(r.gpr, out.gpr, sizeof r.gpr);
    memcpy(r.xmm, out.xmm, sizeof r.xmm);
    r.flags = out.flags;
    r.rip = end_rip;
    r.vector = fault_vector;
    r.error = fault_error;
    r.address = fault_address;
    for (unsigned n = 0; n < DATA_SIZE / 8; n++)
      if (data[n] != before[n]) {
        if (r.changes < MAX_CHANGES) {
          r.change[r.changes].at = n * 8;
          r.change[r.changes].value = data[n];
        }
        r.changes++;
      }
    if (fwrite(&r, sizeof r, 1, stdout) != 1) return 1;
  }
  return 0;
}
