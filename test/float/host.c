/*
 * The host's own floating point, operation by operation: standard input has requests, standard output answers.
 * Exceptions are masked for SSE; for the x87 they need not be, nothing here waits.
 */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct request {
  uint32_t op, control; /* MXCSR, or the x87 control word */
  uint8_t a[16], b[16], c[16];
};
struct answer {
  uint8_t result[16];
  uint32_t flags, pad; /* MXCSR, or the x87 status word */
  uint64_t pad2;
};

enum { ADD, SUB, MUL, DIV, SQRT, FMA, COMPARE, QUIET_COMPARE, TO_I32, TO_I64, TO_I32_ZERO, TO_I64_ZERO, FROM_I32, FROM_I64, TO_OTHER, ROUND, FROM_HALF, TO_HALF };

static void sse(const struct request *q, struct answer *r, int wide) {
  __m128 a, b, c;
  __m128d x, y, z;
  int32_t i;
  int64_t l;
  memcpy(&a, q->a, 16), memcpy(&b, q->b, 16), memcpy(&c, q->c, 16);
  memcpy(&x, q->a, 16), memcpy(&y, q->b, 16), memcpy(&z, q->c, 16);
  memcpy(&i, q->a, 4), memcpy(&l, q->a, 8);
  uint32_t control = q->control, before, saved;
  __asm__ volatile("stmxcsr %0" : "=m"(saved));
#define WITH(code, ...) __asm__ volatile("ldmxcsr %[control]\n" code "\nstmxcsr %[after]" : [after] "=m"(before), __VA_ARGS__)
#define TWO(name) \
  do { \
    if (wide) WITH(name "sd %[y], %[x]", [x] "+x"(x) : [y] "x"(y), [control] "m"(control)); \
    else WITH(name "ss %[y], %[x]", [x] "+x"(a) : [y] "x"(b), [control] "m"(control)); \
  } while (0)
  switch (q->op & 255) {
    case ADD: TWO("add"); break;
    case SUB: TWO("sub"); break;
    case MUL: TWO("mul"); break;
    case DIV: TWO("div"); break;
    case SQRT: y = x, b = a; TWO("sqrt"); break;
    case FMA:
      if (wide) WITH("vfmadd213sd %[z], %[y], %[x]", [x] "+x"(x) : [y] "x"(y), [z] "x"(z), [control] "m"(control));
      else WITH("vfmadd213ss %[z], %[y], %[x]", [x] "+x"(a) : [y] "x"(b), [z] "x"(c), [control] "m"(control));
      break;
    case COMPARE:
    case QUIET_COMPARE:
#define COMPARING(name) \
  if (wide) WITH(name "sd %[y], %[x]\n pushf\n pop %q[flags]", [flags] "=r"(l) : [x] "x"(x), [y] "x"(y), [control] "m"(control)); \
  else WITH(name "ss %[y], %[x]\n pushf\n pop %q[flags]", [flags] "=r"(l) : [x] "x"(a), [y] "x"(b), [control] "m"(control));
      if ((q->op & 255) == COMPARE) { COMPARING("comi") } else { COMPARING("ucomi") }
      memset(r->result, 0, 16);
      r->result[0] = l & 0x45;
      goto flags;
    case TO_I32: case TO_I64: case TO_I32_ZERO: case TO_I64_ZERO: {
#define TO(name, reg) \
  if (wide) WITH(name "sd2si %[x], %" reg "[l]", [l] "=r"(l) : [x] "x"(x), [control] "m"(control)); \
  else WITH(name "ss2si %[x], %" reg "[l]", [l] "=r"(l) : [x] "x"(a), [control] "m"(control));
      switch (q->op & 255) {
        case TO_I32: TO("cvt", "k") break;
        case TO_I64: TO("cvt", "q") break;
        case TO_I32_ZERO: TO("cvtt", "k") break;
        case TO_I64_ZERO: TO("cvtt", "q") break;
      }
      memset(r->result, 0, 16);
      memcpy(r->result, &l, 8);
      goto flags;
    }
    case FROM_I32:
      if (wide) WITH("cvtsi2sd %[i], %[x]", [x] "+x"(x) : [i] "r"(i), [control] "m"(control));
      else WITH("cvtsi2ss %[i], %[x]", [x] "+x"(a) : [i] "r"(i), [control] "m"(control));
      break;
    case FROM_I64:
      if (wide) WITH("cvtsi2sdq %[i], %[x]", [x] "+x"(x) : [i] "r"(l), [control] "m"(control));
      else WITH("cvtsi2ssq %[i], %[x]", [x] "+x"(a) : [i] "r"(l), [control] "m"(control));
      break;
    case TO_OTHER:
      if (wide) WITH("cvtsd2ss %[x], %[x]", [x] "+x"(x) : [control] "m"(control));
      else WITH("cvtss2sd %[x], %[x]", [x] "+x"(a) : [control] "m"(control));
      break;
    case ROUND:
      if (wide) WITH("roundsd $4, %[x], %[x]", [x] "+x"(x) : [control] "m"(control));
      else WITH("roundss $4, %[x], %[x]", [x] "+x"(a) : [control] "m"(control));
      break;
    case FROM_HALF: WITH("vcvtph2ps %[x], %[x]", [x] "+x"(a) : [control] "m"(control)); break;
    case TO_HALF: WITH("vcvtps2ph $4, %[x], %[x]", [x] "+x"(a) : [control] "m"(control)); break;
  }
  if (wide) memcpy(r->result, &x, 16);
  else memcpy(r->result, &a, 16);
flags:
  __asm__ volatile("ldmxcsr %0" ::"m"(saved));
  r->flags = before;
}

enum { FADD = 100, FSUB, FMUL, FDIV, FSQRT, FCOM, FUCOM, FIST16, FIST32, FIST64, FISTT64, FILD64, FST32, FST64, FLD32, FLD64, FRNDINT, FPREM, FPREM1 };

static void x87(const struct request *q, struct answer *r) {
  uint16_t control = q->control, status = 0;
  uint8_t out[16] = {0};
#define KEEP "\n fnstsw %[status]\n fnclex\n fstpt %[out]\n fninit\n"
#define RUNK(code) \
  __asm__ volatile("fninit\n fldt %[b]\n fldt %[a]\n fnclex\n fldcw %[control]\n" code KEEP \
    : [status] "=m"(status), [out] "+m"(out) : [a] "m"(q->a), [b] "m"(q->b), [control] "m"(control) : "memory")
  switch (q->op) {
    case FADD: RUNK("fadd %%st(1), %%st"); break;
    case FSUB: RUNK("fsub %%st(1), %%st"); break;
    case FMUL: RUNK("fmul %%st(1), %%st"); break;
    case FDIV: RUNK("fdiv %%st(1), %%st"); break;
    case FSQRT: RUNK("fsqrt"); break;
    case FRNDINT: RUNK("frndint"); break;
    case FPREM: RUNK("fprem"); break;
    case FPREM1: RUNK("fprem1"); break;
    case FCOM: RUNK("fcom %%st(1)"); break;
    case FUCOM: RUNK("fucom %%st(1)"); break;
#define MEM(code) \
  __asm__ volatile("fninit\n fldt %[a]\n fnclex\n fldcw %[control]\n" code "\n fnstsw %[status]\n fnclex\n fninit\n" \
    : [status] "=m"(status), [out] "+m"(out) : [a] "m"(q->a), [control] "m"(control) : "memory")
    case FIST16: MEM("fistps %[out]"); break;
    case FIST32: MEM("fistpl %[out]"); break;
    case FIST64: MEM("fistpll %[out]"); break;
    case FISTT64: MEM("fisttpll %[out]"); break;
    case FST32: MEM("fstps %[out]"); break;
    case FST64: MEM("fstpl %[out]"); break;
#define LOAD(code) \
  __asm__ volatile("fninit\n fldcw %[control]\n" code " %[a]" KEEP : [status] "=m"(status), [out] "+m"(out) : [a] "m"(q->a), [control] "m"(control) : "memory")
    case FILD64: LOAD("fildll"); break;
    case FLD32: LOAD("flds"); break;
    case FLD64: LOAD("fldl"); break;
  }
  memcpy(r->result, out, 16);
  r->flags = status;
}

int main(void) {
  struct request q;
  while (fread(&q, sizeof q, 1, stdin) == 1) {
    struct answer r;
    memset(&r, 0, sizeof r);
    if (q.op >= FADD && q.op < 256) x87(&q, &r);
    else sse(&q, &r, (q.op & 256) != 0);
    fwrite(&r, sizeof r, 1, stdout);
  }
  return 0;
}
