// SPDX-License-Identifier: MIT
/*
 * A driver that does what it is told, also when that is wrong: the steps of a pinned DMA transfer one by one, in any
 * order. Only for the test guests of pinscope; it can corrupt memory by design and belongs on no other machine.
 *
 * No device ever writes through these mappings: the platform device is made up, and the streaming DMA calls only do
 * the book-keeping that a trace shows.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/uaccess.h>

#include "pinbad.h"

struct slot {
	unsigned int nr;
	bool mapped, sg;
	enum dma_data_direction dir;
	struct page *page[PINBAD_MAX_PAGES];
	dma_addr_t dma[PINBAD_MAX_PAGES];
	struct scatterlist sgl[PINBAD_MAX_PAGES];
};

static struct slot slots[PINBAD_SLOTS];
static DEFINE_MUTEX(lock);
static struct platform_device *device;

static long take(struct slot *slot, struct pinbad_call *call, bool pin)
{
	unsigned int flags = call->flags & PINBAD_WRITE ? FOLL_WRITE : 0;
	int got;
	unsigned int i;

	if (slot->nr || !call->nr || call->nr > PINBAD_MAX_PAGES)
		return -EBUSY;
	if (pin)
		got = pin_user_pages_fast(call->addr, call->nr, flags, slot->page);
	else
		got = get_user_pages_fast(call->addr, call->nr, flags, slot->page);
	if (got < 0)
		return got;
	slot->nr = got;
	for (i = 0; i < slot->nr; i++)
		call->pfn[i] = page_to_pfn(slot->page[i]);
	return got == call->nr ? 0 : -EFAULT;
}

static long map(struct slot *slot, struct pinbad_call *call)
{
	unsigned int i;

	slot->dir = call->dir;
	slot->sg = call->flags & PINBAD_SG;
	if (slot->sg) {
		sg_init_table(slot->sgl, slot->nr);
		for (i = 0; i < slot->nr; i++)
			sg_set_page(&slot->sgl[i], slot->page[i], PAGE_SIZE, 0);
		if (!dma_map_sg(&device->dev, slot->sgl, slot->nr, slot->dir))
			return -EIO;
	} else {
		for (i = 0; i < slot->nr; i++) {
			slot->dma[i] = dma_map_page(&device->dev, slot->page[i], 0, PAGE_SIZE, slot->dir);
			if (dma_mapping_error(&device->dev, slot->dma[i]))
				return -EIO;
		}
	}
	slot->mapped = true;
	return 0;
}

static void unmap(struct slot *slot)
{
	unsigned int i;

	if (!slot->mapped)
		return;
	if (slot->sg)
		dma_unmap_sg(&device->dev, slot->sgl, slot->nr, slot->dir);
	else
		for (i = 0; i < slot->nr; i++)
			dma_unmap_page(&device->dev, slot->dma[i], PAGE_SIZE, slot->dir);
	slot->mapped = false;
}

static long step(struct pinbad_call *call)
{
	struct slot *slot;
	unsigned int i;

	if (call->slot >= PINBAD_SLOTS)
		return -EINVAL;
	slot = &slots[call->slot];
	switch (call->step) {
	case PINBAD_PIN:
		return take(slot, call, true);
	case PINBAD_GET:
		return take(slot, call, false);
	case PINBAD_MAP:
		return map(slot, call);
	case PINBAD_UNMAP:
		unmap(slot);
		return 0;
	case PINBAD_UNPIN:
		if (call->flags & PINBAD_DIRTY)
			unpin_user_pages_dirty_lock(slot->page, slot->nr, true);
		else
			unpin_user_pages(slot->page, slot->nr);
		return 0;
	case PINBAD_PUT:
		for (i = 0; i < slot->nr; i++)
			put_page(slot->page[i]);
		return 0;
	case PINBAD_DIRTY_NOW:
		for (i = 0; i < slot->nr; i++)
			set_page_dirty_lock(slot->page[i]);
		return 0;
	case PINBAD_UNPIN_TWICE:
		for (i = 0; i < slot->nr; i++)
			page_ref_add(slot->page[i], GUP_PIN_COUNTING_BIAS);
		unpin_user_pages(slot->page, slot->nr);
		return 0;
	case PINBAD_FORGET:
	case PINBAD_CLEAR:
		slot->nr = 0;
		slot->mapped = false;
		return 0;
	}
	return -EINVAL;
}

static long pinbad_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct pinbad_call call;
	long ret;

	if (cmd != PINBAD_IOC)
		return -ENOTTY;
	if (copy_from_user(&call, (void __user *)arg, sizeof(call)))
		return -EFAULT;
	mutex_lock(&lock);
	ret = step(&call);
	mutex_unlock(&lock);
	if (copy_to_user((void __user *)arg, &call, sizeof(call)))
		return -EFAULT;
	return ret;
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = pinbad_ioctl,
};

static struct miscdevice misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pinbad",
	.fops = &fops,
};

static int __init pinbad_init(void)
{
	int err;

	device = platform_device_register_simple("pinbad", 0, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	err = dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	if (!err)
		err = misc_register(&misc);
	if (err)
		platform_device_unregister(device);
	return err;
}

static void __exit pinbad_exit(void)
{
	misc_deregister(&misc);
	platform_device_unregister(device);
}

module_init(pinbad_init);
module_exit(pinbad_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Deliberate mistakes with pinned pages, for tests");
