// SPDX-License-Identifier: Apache-2.0
// Answers the preloaded library's questions with a drive that lives as long as the server.
#pragma once
#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

#include "client/polled_host.h"
#include "client/wire.h"

namespace flashpath::client {

class Server {
 public:
  /// `log`: a line per command with its simulated latency; nullptr: none.
  Server(PolledHost& host, std::string socket_path, std::FILE* log);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens; false and errno when the socket cannot be made.
  bool listen();
  /// Serves until `child` ends; its exit status as of waitpid.
  int serve(pid_t child);

  /// One question, without a socket. `data` and `metadata`: in what came, out what goes back.
  Answer answer(const Question& question, std::vector<unsigned char>& data, std::vector<unsigned char>& metadata);

 private:
  bool talk(int connection);
  Answer shape(std::uint32_t nsid);

  PolledHost& host_;
  std::string path_;
  std::FILE* log_;
  int socket_ = -1;
  std::vector<int> connections_;
};

}  // namespace flashpath::client
