// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "work.h"

#define ENTRIES 8

static size_t sq_bytes(const struct ring *ring)
{
	return ring->params.sq_off.array + ring->params.sq_entries * sizeof(unsigned int);
}

static size_t cq_bytes(const struct ring *ring)
{
	return ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
}

static size_t sqe_bytes(const struct ring *ring)
{
	return ring->params.sq_entries * sizeof(struct io_uring_sqe);
}

static void *ring_map(const struct ring *ring, size_t bytes, off_t offset)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, offset);

	if (at == MAP_FAILED)
		die("io_uring mmap");
	return at;
}

void ring_open(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(__NR_io_uring_setup, ENTRIES, &ring->params);
	if (ring->fd < 0)
		die("io_uring_setup");
	ring->sq = ring_map(ring, sq_bytes(ring), IORING_OFF_SQ_RING);
	ring->cq = ring_map(ring, cq_bytes(ring), IORING_OFF_CQ_RING);
	ring->sqes = ring_map(ring, sqe_bytes(ring), IORING_OFF_SQES);
}

void ring_put(struct ring *ring, int opcode, int fd, void *at, unsigned int bytes, uint64_t offset, int buffer)
{
	unsigned int *tail = (unsigned int *)(ring->sq + ring->params.sq_off.tail);
	unsigned int index = *tail & (ring->params.sq_entries - 1);
	struct io_uring_sqe *sqe = &ring->sqes[index];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)at;
	sqe->len = bytes;
	sqe->off = offset;
	sqe->buf_index = buffer;
	((unsigned int *)(ring->sq + ring->params.sq_off.array))[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	ring->put++;
}

void ring_submit(struct ring *ring)
{
	if (syscall(__NR_io_uring_enter, ring->fd, ring->put, 0, 0, NULL, 0) != (int)ring->put)
		die("io_uring_enter");
	ring->flying += ring->put;
	ring->put = 0;
}

int ring_finish(struct ring *ring)
{
	unsigned int *head = (unsigned int *)(ring->cq + ring->params.cq_off.head);
	unsigned int *tail = (unsigned int *)(ring->cq + ring->params.cq_off.tail);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(ring->cq + ring->params.cq_off.cqes);
	int result = 0;

	while (ring->flying > 0) {
		if (syscall(__NR_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter");
		for (; *head != __atomic_load_n(tail, __ATOMIC_ACQUIRE); __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE)) {
			result = cqes[*head & (ring->params.cq_entries - 1)].res;
			ring->flying--;
		}
	}
	return result;
}

int ring_register(struct ring *ring, const struct iovec *vec, unsigned int nr)
{
	return syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, vec, nr);
}

int ring_unregister(struct ring *ring)
{
	return syscall(__NR_io_uring_register, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

void ring_close(struct ring *ring)
{
	munmap(ring->sqes, sqe_bytes(ring));
	munmap(ring->sq, sq_bytes(ring));
	munmap(ring->cq, cq_bytes(ring));
	close(ring->fd);
}
