/*
 * Runs cases on the host's own CPU: the oracle of the emulator's semantics.
 *
 * Standard input: the number of LDT entries and the entries (struct user_desc without its first word), then cases; one
 * result each goes to standard output. Code runs at CODE in 64, 32 or 16-bit mode; data lies at DATA: two pages filled
 * from the case's seed, a read-only page, then nothing. The emulator uses the same addresses.
 *
 * Linked below 4 GiB, so that 16 and 32-bit code can come back by a far jump.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x500000ul
#define CODE_SIZE 0x2000ul
#define DATA 0x600000ul
#define DATA_SIZE 0x2000ul
#define READ_ONLY_SEED 0x5eed
#define GS_BASE 0x123456000ul
#define MAX_CODE 256
#define MAX_CHANGES 160
#define SEEDS 16
#define ENDLESS 255 /* the vector of a case that does not end */
#define USER_CS 0x33
#define USER_DS 0x2b

/* The parts of an XSAVE area (SDM Vol. 1, 13.4) that user programs see here: x87 with MXCSR, XMM, upper halves of YMM. */
struct vectors {
  uint8_t x87[160];
  uint8_t xmm[16][16];
  uint8_t high[16][16];
};

struct test {
  uint8_t code[MAX_CODE];
  uint32_t length, start;
  uint16_t bits, end_bits; /* 64, 32 or 16 */
  uint16_t cs, ds, es, ss, gs, pad;
  uint32_t code_base, pad2;
  uint64_t seed;
  uint64_t gpr[16];
  uint64_t flags;
  struct vectors vectors;
  uint32_t patch_at, patch_length; /* bytes of the data pages that are not as the seed says */
  uint8_t patch[64];
};

struct result {
  uint64_t gpr[16];
  uint64_t flags, rip;
  int64_t vector, error, address;
  uint64_t selectors[5];
  struct vectors vectors;
  uint64_t changes;
  struct { uint64_t at, value; } change[MAX_CHANGES];
};

struct state {
  uint64_t gpr[16], flags;
  uint16_t es, cs, ss, ds, gs, pad[3];
};

/* XSAVE area in the standard format. */
struct area {
  uint8_t x87[160], xmm[16][16], unused[96];
  uint64_t present, header[7];
  uint8_t high[16][16];
} __attribute__((aligned(64)));

struct area vectors_in, vectors_out;
uint32_t components; /* of XCR0: x87, SSE, AVX */

struct state in, out;
struct { uint32_t offset; uint16_t selector; } __attribute__((packed, aligned(8))) far_entry;
uint64_t harness_rsp, entry;
uint32_t plain_mxcsr = 0x1f80;
volatile int64_t fault_vector, fault_error, fault_address;
volatile uint64_t end_rip;
static volatile uint64_t cases, cases_at_tick, running; /* a case that two ticks of the timer find running does not end */
static struct test t;
static struct result r;

void run_case(void);
void run_legacy_case(void);
void leave_case(void);
extern char leave_case_faulted[];

__asm__(
#define LOAD_GPR \
    "  mov 8(%rax), %rcx; mov 16(%rax), %rdx; mov 24(%rax), %rbx\n" \
    "  mov 32(%rax), %rsp; mov 40(%rax), %rbp; mov 48(%rax), %rsi; mov 56(%rax), %rdi\n" \
    "  mov 64(%rax), %r8; mov 72(%rax), %r9; mov 80(%rax), %r10; mov 88(%rax), %r11\n" \
    "  mov 96(%rax), %r12; mov 104(%rax), %r13; mov 112(%rax), %r14; mov 120(%rax), %r15\n" \
    "  mov 0(%rax), %rax\n"
#define ENTER \
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n" \
    "  mov %rsp, harness_rsp(%rip)\n" \
    "  mov components(%rip), %eax; xor %edx, %edx\n" \
    "  xrstor vectors_in(%rip)\n" \
    "  lea in(%rip), %rax\n"
    ".globl run_case\n"
    "run_case:\n"
    ENTER
    "  mov 136(%rax), %es; mov 142(%rax), %ds\n"
    "  pushq 128(%rax); popfq\n"
    LOAD_GPR
    "  jmp *entry(%rip)\n"
    ".globl run_legacy_case\n"
    "run_legacy_case:\n"
    ENTER
    "  mov 136(%rax), %es; mov 142(%rax), %ds; mov 144(%rax), %gs\n"
    "  pushq 128(%rax); popfq\n"
    "  mov 140(%rax), %ss\n"
    LOAD_GPR
    "  ljmp *far_entry(%rip)\n"
    ".globl leave_case\n"
    "leave_case:\n"
    "  mov %rax, out+0(%rip); mov %rcx, out+8(%rip); mov %rdx, out+16(%rip); mov %rbx, out+24(%rip)\n"
    "  mov %rsp, out+32(%rip); mov %rbp, out+40(%rip); mov %rsi, out+48(%rip); mov %rdi, out+56(%rip)\n"
    "  mov %r8, out+64(%rip); mov %r9, out+72(%rip); mov %r10, out+80(%rip); mov %r11, out+88(%rip)\n"
    "  mov %r12, out+96(%rip); mov %r13, out+104(%rip); mov %r14, out+112(%rip); mov %r15, out+120(%rip)\n"
    "  mov %es, out+136(%rip); mov %ss, out+140(%rip); mov %ds, out+142(%rip); mov %gs, out+144(%rip)\n"
    "  mov $0x2b, %eax; mov %eax, %ss\n"
    "  mov harness_rsp(%rip), %rsp\n"
    "  pushfq; popq out+128(%rip)\n"
    "  mov components(%rip), %eax; xor %edx, %edx\n"
    "  xsave vectors_out(%rip)\n"
    ".globl leave_case_faulted\n"
    "leave_case_faulted:\n"
    "  pushq $0x202; popfq\n"
    "  fninit; ldmxcsr plain_mxcsr(%rip)\n" /* the harness is compiled for a plain one */
    "  mov $0x2b, %eax; mov %eax, %ds; mov %eax, %es\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

/* ucontext's register numbers in encoding order. */
static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void on_fault(int signal, siginfo_t *info, void *context) {
  if (signal == SIGVTALRM && (!running || cases != cases_at_tick)) {
    cases_at_tick = cases;
    return;
  }
  running = 0;
  __asm__ volatile("pushq $0x202; popfq" ::: "memory", "cc"); /* the case's AC flag is still set */
  __asm__ volatile("mov %%es, %0" : "=m"(out.es));
  __asm__ volatile("mov %%ds, %0" : "=m"(out.ds));
  __asm__ volatile("mov %%gs, %0" : "=m"(out.gs));
  ucontext_t *u = context;
  greg_t *g = u->uc_mcontext.gregs;
  uint64_t segments = (uint64_t)g[REG_CSGSFS];
  (void)info;
  fault_vector = signal == SIGVTALRM ? ENDLESS : g[REG_TRAPNO];
  fault_error = g[REG_ERR];
  fault_address = g[REG_CR2];
  for (int n = 0; n < 16; n++) out.gpr[n] = g[order[n]];
  out.flags = g[REG_EFL];
  out.cs = segments;
  out.ss = segments >> 48;
  memcpy(&vectors_out, u->uc_mcontext.fpregs, sizeof vectors_out);
  end_rip = g[REG_RIP];
  g[REG_RIP] = (greg_t)leave_case_faulted;
  g[REG_RSP] = harness_rsp;
  g[REG_EFL] = 0x202;
  g[REG_CSGSFS] = (greg_t)((segments & 0xffff00000000ul) | ((uint64_t)USER_DS << 48) | USER_CS);
}

/* An XSAVE area holds no values for what is in its initial state: SDM Vol. 1, 13.6. */
static struct vectors saved_vectors(void) {
  struct vectors v;
  memset(&v, 0, sizeof v);
  memcpy(v.x87, vectors_out.x87, sizeof v.x87);
  if (!(vectors_out.present & 1)) {
    uint32_t mxcsr[2];
    memcpy(mxcsr, v.x87 + 24, sizeof mxcsr);
    memset(v.x87, 0, sizeof v.x87);
    v.x87[0] = 0x7f;
    v.x87[1] = 0x03;
    memcpy(v.x87 + 24, mxcsr, sizeof mxcsr);
  }
  if (vectors_out.present & 2) memcpy(v.xmm, vectors_out.xmm, sizeof v.xmm);
  if (vectors_out.present & 4) memcpy(v.high, vectors_out.high, sizeof v.high);
  return v;
}

static void fill(uint32_t *words, unsigned bytes, uint32_t x) {
  for (unsigned n = 0; n < bytes / 4; n++) {
    x = x * 1664525u + 1013904223u;
    words[n] = x ^ (x >> 15);
  }
}

/* The way back, by what kind of code gets there. */
static void append_exit(uint8_t *end, int bits) {
  static uint64_t back;
  uint64_t at = (uint64_t)&back;
  uint16_t selector = USER_CS;
  back = (uint64_t)leave_case;
  if (bits == 64) { /* jmp *back: aligned, whatever RFLAGS.AC says */
    memcpy(end, "\xff\x24\x25", 3);
    memcpy(end + 3, &at, 4);
    return;
  }
  if (bits == 16) *end++ = 0x66;
  *end++ = 0xea;
  memcpy(end, &back, 4);
  memcpy(end + 4, &selector, 2);
}

static int read_ldt(void) {
  uint32_t count;
  if (fread(&count, sizeof count, 1, stdin) != 1) return 1;
  for (uint32_t n = 0; n < count; n++) {
    uint32_t fields[6]; /* base, limit, D/B, contents, restricted, absent */
    struct user_desc d = {.entry_number = n};
    if (fread(fields, sizeof fields, 1, stdin) != 1) return 1;
    d.base_addr = fields[0];
    d.limit = fields[1];
    d.seg_32bit = fields[2];
    d.contents = fields[3];
    d.read_exec_only = fields[4];
    d.seg_not_present = fields[5];
    d.useable = 1;
    if (syscall(SYS_modify_ldt, 17, &d, sizeof d) != 0) {
      perror("host-cpu harness: modify_ldt, which 16-bit and based segments need");
      return 1;
    }
  }
  return 0;
}

int main(void) {
  static uint8_t alternate[1 << 17];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGVTALRM};
  int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  uint8_t *code = mmap((void *)CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, fixed, -1, 0);
  uint64_t *data = mmap((void *)DATA, DATA_SIZE + 4096, PROT_READ | PROT_WRITE, fixed, -1, 0);
  uint64_t *far_data = mmap((void *)GS_BASE, 4096, PROT_READ | PROT_WRITE, fixed, -1, 0);
  static uint64_t seeded[SEEDS][DATA_SIZE / 8], seeded_far[SEEDS][512], before[DATA_SIZE / 8];
  if (code != (void *)CODE || data != (void *)DATA || far_data != (void *)GS_BASE) {
    fprintf(stderr, "host-cpu harness: the addresses %lx, %lx and %lx are not free\n", CODE, DATA, GS_BASE);
    return 2;
  }
  unsigned a, b, features, d;
  if (!__get_cpuid(1, &a, &b, &features, &d) || !(features & bit_OSXSAVE)) {
    fprintf(stderr, "host-cpu harness: no XSAVE\n");
    return 2;
  }
  __asm__("xgetbv" : "=a"(components), "=d"(d) : "c"(0));
  components &= 7;
  if (read_ldt() != 0) return 2;
  fill((uint32_t *)(DATA + DATA_SIZE), 4096, READ_ONLY_SEED);
  mprotect((void *)(DATA + DATA_SIZE), 4096, PROT_READ);
  sigaltstack(&stack, 0);
  for (unsigned n = 0; n < sizeof signals / sizeof *signals; n++) sigaction(signals[n], &action, 0);

  for (uint32_t n = 0; n < SEEDS; n++) {
    fill((uint32_t *)seeded[n], DATA_SIZE, n);
    fill((uint32_t *)seeded_far[n], 4096, n + 1);
  }
  static uint8_t image[CODE_SIZE + MAX_CODE + 32];
  memset(image, 0xcc, sizeof image);
  static const struct itimerval patience = {.it_value = {.tv_usec = 50000}, .it_interval = {.tv_usec = 50000}};
  setitimer(ITIMER_VIRTUAL, &patience, 0);
  while (fread(&t, sizeof t, 1, stdin) == 1) {
    if (t.seed >= SEEDS || t.patch_length > sizeof t.patch || t.patch_at + t.patch_length > DATA_SIZE) return 3;
    memcpy(before, seeded[t.seed], DATA_SIZE);
    memcpy((uint8_t *)before + t.patch_at, t.patch, t.patch_length);
    memcpy(data, before, DATA_SIZE);
    memcpy(far_data, seeded_far[t.seed], 4096);
    memcpy(image + t.start, t.code, t.length);
    append_exit(image + t.start + t.length, t.end_bits);
    if (memcmp(code, image, CODE_SIZE) != 0) memcpy(code, image, CODE_SIZE);
    memset(image + t.start, 0xcc, t.length + 16);

    memcpy(in.gpr, t.gpr, sizeof in.gpr);
    in.flags = t.flags | 0x202;
    memset(&vectors_in, 0, sizeof vectors_in);
    memcpy(vectors_in.x87, t.vectors.x87, sizeof vectors_in.x87 + sizeof vectors_in.xmm);
    memcpy(vectors_in.high, t.vectors.high, sizeof vectors_in.high);
    vectors_in.present = components;
    in.es = t.es;
    in.ss = t.ss;
    in.ds = t.ds;
    in.gs = t.gs;
    memset(&out, 0, sizeof out);
    memset(&vectors_out, 0, sizeof vectors_out);
    fault_vector = -1;
    fault_error = fault_address = 0;
    end_rip = CODE - t.code_base + t.start + t.length;
    cases++;
    if (t.bits == 64) {
      syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE);
      entry = CODE + t.start;
      running = 1;
      run_case();
    } else {
      far_entry.offset = CODE - t.code_base + t.start;
      far_entry.selector = t.cs;
      running = 1;
      run_legacy_case();
    }

    running = 0;
    r.changes = 0;
    memcpy(r.gpr, out.gpr, sizeof r.gpr);
    r.vectors = saved_vectors();
    r.flags = out.flags;
    r.rip = end_rip;
    r.vector = fault_vector;
    r.error = fault_error;
    r.address = fault_address;
    r.selectors[0] = out.es;
    r.selectors[1] = out.cs;
    r.selectors[2] = out.ss;
    r.selectors[3] = out.ds;
    r.selectors[4] = out.gs;
    for (unsigned n = 0; n < DATA_SIZE / 8; n++)
      if (data[n] != before[n]) {
        if (r.changes < MAX_CHANGES) {
          r.change[r.changes].at = n * 8;
          r.change[r.changes].value = data[n];
        }
        r.changes++;
      }
    if (r.changes > MAX_CHANGES) r.changes = MAX_CHANGES;
    if (fwrite(&r, offsetof(struct result, change) + r.changes * sizeof *r.change, 1, stdout) != 1) return 1;
  }
  return 0;
}
