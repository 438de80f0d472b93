# Watches the embedded guest boot, row by row of the boot sequence, from efi_main to vmlaunch and into the VMM's guest.
# Run by `npm start`; by hand: vmxscope run -s -S, then gdb -ex 'target remote :1234' -x scripts/boot.gdb
set pagination off
set confirm off
set width 0
set breakpoint pending on
set style enabled off
set print demangle off

set $rows = 0

# One row: symbol, source line, CPU, mode, VMX, CR3.
define row
  set $rows = $rows + 1
  printf "\n%2d  ", $rows
  info symbol $pc
  printf "    "
  info line *$pc
  printf "    cpu%d, ", $_thread - 1
  output $cpu_mode
  printf " mode, VMX "
  output $vmx
  printf ", CR3 0x%lx\n", $cr3
end

define at
  tbreak $arg0
  commands
    silent
    row
    continue
  end
end
at efi_main
# entry's return address is where the guest comes back to, in efi_main.
tbreak entry
commands
  silent
  row
  tbreak *(*(unsigned long *)$rsp)
  commands
    silent
    printf "\nuefi_entry_ret came back to efi_main, now in the VMM's guest:\n"
    row
    printf "\n"
    finish
  end
  continue
end
at uefi64_entry
at uefi_init
at uefi_entry_start
at callmain64
at vmm_main
at bsp_proc
at create_pass_vm
at vmmcall_boot_enable
at vmmcall_boot_thread
at bsp_init_thread
at vt_start_vm
at vt_mainloop
at vt__vm_run
tbreak vmlaunch
commands
  silent
  row
  printf "    the VMCS: guest RIP 0x%lx, guest CR3 0x%lx\n", $guest_rip, $guest_cr3
  monitor info vmcs control
  continue
end
at uefi_entry_ret
continue

# Where efi_main returns to: the firmware, now a guest.
printf "\nback in the firmware after %d rows: ", $rows - 1
info symbol $pc
output $cpu_mode
printf " mode, VMX "
output $vmx
printf "\n"
if $rows != 18 || $vmx != 2
  printf "the boot did not go through all rows\n"
  kill
  quit 1
end
kill
quit 0
