// A pool of threads that sleeps when idle and survives fork.
//
// Work comes in chunks whose borders depend on the data alone, and every partial sum is kept per
// chunk, so a result has the same bits for any number of threads. One parallel region runs at a
// time: a caller that finds the pool busy (another Python thread) does its own chunks itself.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace nonneg {

// Denormal numbers cost a hundred cycles each and mean nothing here: flush them while kernels run.
class FlushDenormals {
 public:
#if defined(__SSE2__)
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040u); }
  ~FlushDenormals() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#endif
};

class Pool {
 public:
  using Task = std::function<void(std::size_t chunk, std::size_t worker)>;

  static Pool& instance() {
    // Never destroyed: workers may sleep in it while the process exits. After a fork only the
    // calling thread exists, so the child starts an empty pool and forgets the parent's.
    static std::atomic<Pool*> pool{nullptr};
    static std::mutex creating;
    Pool* p = pool.load(std::memory_order_acquire);
    if (p == nullptr || p->owner_ != ::getpid()) {
      std::lock_guard<std::mutex> lock(creating);
      p = pool.load(std::memory_order_acquire);
      if (p == nullptr || p->owner_ != ::getpid()) {
        p = new Pool();
        pool.store(p, std::memory_order_release);
      }
    }
    return *p;
  }

  // Calls task(chunk, worker) once for each chunk; worker < n_threads names a private workspace.
  void run(std::size_t n_chunks, std::size_t n_threads, const Task& task) {
    n_threads = std::max<std::size_t>(1, std::min(n_threads, n_chunks));
    std::unique_lock<std::mutex> region(region_, std::defer_lock);
    if (n_threads == 1 || !region.try_lock()) {
      FlushDenormals flush;
      for (std::size_t c = 0; c < n_chunks; ++c) task(c, 0);
      return;
    }
    while (threads_.size() + 1 < n_threads) {
      const std::size_t worker = threads_.size() + 1;
      threads_.emplace_back([this, worker] { serve(worker); });
      threads_.back().detach();
    }
    {
      std::lock_guard<std::mutex> lock(state_);
      task_ = &task;
      n_chunks_ = n_chunks;
      n_workers_ = n_threads;
      next_.store(0, std::memory_order_relaxed);
      failed_ = nullptr;
      pending_ = n_threads - 1;
      ++generation_;
    }
    wake_.notify_all();
    work(0);
    std::unique_lock<std::mutex> lock(state_);
    done_.wait(lock, [this] { return pending_ == 0; });
    task_ = nullptr;
    if (failed_) std::rethrow_exception(failed_);
  }

 private:
  Pool() : owner_(::getpid()) {}

  void serve(std::size_t worker) {
    std::size_t seen = 0;
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(state_);
        wake_.wait(lock, [&] { return generation_ != seen; });
        seen = generation_;
        if (worker >= n_workers_) continue;
      }
      work(worker);
      std::lock_guard<std::mutex> lock(state_);
      if (--pending_ == 0) done_.notify_one();
    }
  }

  void work(std::size_t worker) {
    FlushDenormals flush;
    try {
      for (;;) {
        const std::size_t c = next_.fetch_add(1, std::memory_order_relaxed);
        if (c >= n_chunks_) return;
        (*task_)(c, worker);
      }
    } catch (...) {
      std::lock_guard<std::mutex> lock(state_);
      if (!failed_) failed_ = std::current_exception();
      next_.store(n_chunks_, std::memory_order_relaxed);
    }
  }

  const pid_t owner_;
  std::mutex region_;
  std::mutex state_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::vector<std::thread> threads_;
  const Task* task_ = nullptr;
  std::size_t n_chunks_ = 0;
  std::size_t n_workers_ = 0;
  std::size_t pending_ = 0;
  std::size_t generation_ = 0;
  std::atomic<std::size_t> next_{0};
  std::exception_ptr failed_;
};

}  // namespace nonneg
