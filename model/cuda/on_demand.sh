#!/usr/bin/env bash
# Makes static libraries that stand for NVIDIA's and load them when a program starts, if they are there:
#   model/cuda/on_demand.sh FOLDER
# A program linked to these starts on every machine. Where a library is missing its functions answer with an error code, which
# Slidelight takes as "no GPU". Needs a C compiler, and `cargo fetch` before. CUDA_MAJOR says for which toolkit (13).
set -euo pipefail
folder=$1
bindings=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/cudarc-*/src | tail -1)
mkdir -p "$folder"

# make NAME SONAME BINDINGS ERROR_CODE PREFIX
make() {
  local names
  names=$(grep -rhoE "fn $5[A-Z]\w+" "$bindings/$3/sys" | sed 's/fn //' | sort -u)
  {
    echo '#include <dlfcn.h>'
    echo "#define N $(wc -w <<<"$names")"
    echo "__attribute__((visibility(\"hidden\"))) void *${1}_functions[N];"
    echo "static const char *const names[N] = {$(sed 's/.*/"&",/' <<<"$names")};"
    echo "static int missing(void) { return $4; }"
    echo '__attribute__((constructor)) static void find(void) {'
    echo "  void *library = dlopen(\"$2\", RTLD_LAZY | RTLD_LOCAL);"
    echo '  for (int i = 0; i < N; i++) {'
    echo '    void *function = library ? dlsym(library, names[i]) : 0;'
    echo "    ${1}_functions[i] = function ? function : (void *)missing;"
    echo '  }'
    echo '}'
    awk -v table="${1}_functions" '{
      at = 8 * (NR - 1)
      printf "#if defined(__x86_64__)\n"
      printf "__asm__(\".globl %s\\n.type %s,@function\\n%s: jmp *%s+%d(%%rip)\\n\");\n", $1, $1, $1, table, at
      printf "#elif defined(__aarch64__)\n"
      printf "__asm__(\".globl %s\\n.type %s,@function\\n%s: adrp x16, %s+%d\\nldr x16, [x16, :lo12:%s+%d]\\nbr x16\\n\");\n", $1, $1, $1, table, at, table, at
      printf "#else\n#error not written for this processor\n#endif\n"
    }' <<<"$names"
  } >"$folder/$1.c"
  ${CC:-cc} -O2 -fPIC -c "$folder/$1.c" -o "$folder/$1.o"
  ar rcs "$folder/lib$1.a" "$folder/$1.o"
  rm "$folder/$1.c" "$folder/$1.o"
}

major=${CUDA_MAJOR:-13}
make cuda libcuda.so.1 driver 100 cu # CUDA_ERROR_NO_DEVICE
make nvrtc "libnvrtc.so.$major" nvrtc 7 nvrtc # NVRTC_ERROR_BUILTIN_OPERATION_FAILURE
make cublas "libcublas.so.$major" cublas 1 cublas # CUBLAS_STATUS_NOT_INITIALIZED
make cublasLt "libcublasLt.so.$major" cublaslt 1 cublasLt
make curand libcurand.so.10 curand 101 curand # CURAND_STATUS_NOT_INITIALIZED
