/** Whose call it was: the functions of a stack behind those that everybody goes through. */

import {functionOf} from '../base/frames.js';

/** Functions that everybody goes through on the way to a page (mm/gup.c, mm/swap.c, block/bio.c, kernel/dma/mapping.c...). */
export const HELPERS =
  /^(?:__)?(?:trace_|traceiter_|page_ref_|perf_|kprobe_|kretprobe_|aggr_pre_handler|ftrace_|arch_ftrace_|bpf_|try_grab_|try_get_|folios?_|gup_|get_user_pages|pin_user_pages|pin_user_folio|internal_get_user_pages|get_page_from|unpin_user_|unpin_folio|put_page|put_compound|put_unrefs|undo_dev|follow_page|lockless_pages|dma_map_|dma_unmap_|dma_direct_|iommu_dma_|release_pages|free_|bio_(?:iov|release|map|set)|iov_iter_|(?:__)?iov_iter|set_page_|test_set_page|test_clear_page|end_page_|clear_page_|delete_from_|account_)/;
/** The way in from user space, or into an interrupt: the same for all. */
const OUTER =
  /^(?:entry_|do_syscall|__?x64_sys|__?se_sys|__?arm64_sys|el0|invoke_syscall|ret_from|kthread|asm_|common_interrupt|irq_exit|handle_softirqs|__do_softirq|run_ksoftirqd|default_idle|cpu_startup|secondary_startup|start_|worker_thread|process_one_work|x64_sys_call)/;
/** The callers behind the helpers, innermost first, by function: two offsets in one function are one caller. */
export function callersIn(frames: readonly string[]): string[] {
  const from = callerAt(frames);
  return from < 0
    ? []
    : frames
        .slice(from)
        .map(functionOf)
        .filter((name) => name !== '' && !OUTER.test(name));
}

/** Where in a stack the innermost of them stands; -1 where none does. */
export function callerAt(frames: readonly string[]): number {
  return frames.findIndex((frame) => functionOf(frame) !== '' && !HELPERS.test(functionOf(frame)));
}
