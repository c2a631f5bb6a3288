/* SPDX-License-Identifier: MIT */
/*
 * What the test module and the program that drives it say to each other.
 * Each call is one small step of a driver's I/O (pin, map, unmap, unpin...), so that the program can put the steps in
 * the right order, or on purpose in a wrong one.
 */
#ifndef PINBAD_H
#define PINBAD_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PINBAD_MAX_PAGES 16
#define PINBAD_SLOTS 4

enum pinbad_step {
	PINBAD_PIN,     /* pin_user_pages_fast(addr, nr) into the slot; the answer carries the PFNs */
	PINBAD_GET,     /* get_user_pages_fast(addr, nr) */
	PINBAD_MAP,     /* dma_map_page() of each page, or dma_map_sg() of all with PINBAD_SG */
	PINBAD_UNMAP,
	PINBAD_UNPIN,   /* unpin_user_pages(), or ..._dirty_lock() with PINBAD_DIRTY */
	PINBAD_PUT,     /* put_page() of each page */
	PINBAD_DIRTY_NOW, /* set_page_dirty_lock() of each page, whatever is held */
	PINBAD_UNPIN_TWICE, /* one unpin more than there are pins; the count is raised first so that the page survives */
	PINBAD_FORGET,  /* empty the slot and keep the references: the leak */
	PINBAD_CLEAR,   /* empty the slot, whose references are dropped already */
};

#define PINBAD_WRITE 1u /* FOLL_WRITE */
#define PINBAD_SG 2u
#define PINBAD_DIRTY 4u

struct pinbad_call {
	__u64 addr;
	__u32 nr;
	__u32 step; /* enum pinbad_step */
	__u32 slot;
	__u32 flags;
	__u32 dir; /* enum dma_data_direction */
	__u32 pad;
	__u64 pfn[PINBAD_MAX_PAGES];
};

#define PINBAD_IOC _IOWR('p', 1, struct pinbad_call)

#endif
